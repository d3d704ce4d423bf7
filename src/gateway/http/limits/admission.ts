// Gives a place to a socket before its upgrade, and to a request that waits, or says why not. A socket's place is bound
// to its connection, so none is ever lost.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConnectionSlots } from '../../session/connection-slots.js';
import { requireIdentity } from '../request/access.js';
import { deriveClientKey } from './client-address.js';
import { PROBLEMS, sendProblem } from '../problems/problem.js';

/** A hook for after the access check; it looks at upgrades alone. */
export type Admit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Takes a place for whoever asks.
 * @returns what gives it back, to be called once; undefined where there was none, which has been answered.
 */
export type AcquireSlot = (
  request: FastifyRequest,
  reply: FastifyReply,
) => (() => void) | undefined;

export function createAcquireSlot(places: ConnectionSlots): AcquireSlot {
  return (request, reply) => {
    const client = { address: deriveClientKey(request.ip), identity: requireIdentity(request) };
    const reason = places.findRejection(client);
    if (reason === undefined) return places.acquire(client);
    sendProblem(reply, reason, PROBLEMS[reason].when);
    return undefined;
  };
}

export function createAdmit(acquireSlot: AcquireSlot): Admit {
  return async (request, reply) => {
    const { socket } = request.raw;
    // One that is gone already would never give its place back.
    if (!request.ws || socket.destroyed) return;
    const releaseSlot = acquireSlot(request, reply);
    if (releaseSlot === undefined) await reply;
    else socket.once('close', releaseSlot);
  };
}
