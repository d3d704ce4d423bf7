// Gives a place to a socket before its upgrade, and to a request that waits, or says why not. A socket's place is bound
// to its connection, so none is ever lost.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConnectionSlots } from '../../session/connection-slots.js';
import { identityOf } from '../request/access.js';
import { clientOf } from './client-address.js';
import { PROBLEMS, sendProblem } from '../problems/problem.js';

/** A hook for after the access check; it looks at upgrades alone. */
export type Admit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Takes a place for whoever asks.
 * @returns what gives it back, to be called once; undefined where there was none, which has been answered.
 */
export type TakePlace = (request: FastifyRequest, reply: FastifyReply) => (() => void) | undefined;

export function createTakePlace(places: ConnectionSlots): TakePlace {
  return (request, reply) => {
    const visitor = { address: clientOf(request.ip), identity: identityOf(request) };
    const reason = places.findRejection(visitor);
    if (reason === undefined) return places.acquire(visitor);
    sendProblem(reply, reason, PROBLEMS[reason].when);
    return undefined;
  };
}

export function createAdmit(takePlace: TakePlace): Admit {
  return async (request, reply) => {
    const { socket } = request.raw;
    // One that is gone already would never give its place back.
    if (!request.ws || socket.destroyed) return;
    const giveBack = takePlace(request, reply);
    if (giveBack === undefined) await reply;
    else socket.once('close', giveBack);
  };
}
