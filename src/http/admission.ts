// Lets a socket in before its upgrade, or says why not. Its place is bound to its connection, so none is ever lost.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Places } from '../session/places.js';
import type { OnRefusal } from '../session/refusals.js';
import { identityOf } from './access.js';
import { clientOf } from './client-address.js';
import { PROBLEMS, sendProblem } from './problem.js';

/** A hook for after the access check; it looks at upgrades alone. */
export type Admit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

export function createAdmit(places: Places, onRefusal: OnRefusal): Admit {
  return async (request, reply) => {
    const { socket } = request.raw;
    // One that is gone already would never give its place back.
    if (!request.ws || socket.destroyed) return;
    const visitor = { address: clientOf(request.ip), identity: identityOf(request) };
    const reason = places.refusal(visitor);
    if (reason === undefined) {
      socket.once('close', places.take(visitor));
      return;
    }
    onRefusal(reason);
    await sendProblem(reply, reason, PROBLEMS[reason].when);
  };
}
