// Acquires a connection slot for a socket before its upgrade, and for a waiting request, or sends
// the rejection. The slot of a socket is released when its connection closes, so no slot is ever
// lost.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConnectionSlots } from '../../session/connection-slots.js';
import { requireIdentity } from '../request/access.js';
import { deriveClientKey } from './client-address.js';
import { PROBLEMS, sendProblem } from '../problems/problem.js';

/** A hook after the access check. It ignores requests that are not upgrades. */
export type Admit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Acquires a slot for a request.
 * @returns a function that releases the slot, to be called once; undefined if there was no slot,
 * and the rejection is sent
 */
export type AcquireSlot = (
  request: FastifyRequest,
  reply: FastifyReply,
) => (() => void) | undefined;

/** Creates the function that acquires slots. */
export function createAcquireSlot(places: ConnectionSlots): AcquireSlot {
  return (request, reply) => {
    const client = { address: deriveClientKey(request.ip), identity: requireIdentity(request) };
    const reason = places.findRejection(client);
    if (reason === undefined) return places.acquire(client);
    sendProblem(reply, reason, PROBLEMS[reason].when);
    return undefined;
  };
}

/** Creates the hook that acquires a slot for each upgrade. */
export function createAdmit(acquireSlot: AcquireSlot): Admit {
  return async (request, reply) => {
    const { socket } = request.raw;
    // A socket that is closed already would never release its slot.
    if (!request.ws || socket.destroyed) return;
    const releaseSlot = acquireSlot(request, reply);
    if (releaseSlot === undefined) await reply;
    else socket.once('close', releaseSlot);
  };
}
