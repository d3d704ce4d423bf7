// Lets a socket in before its upgrade, or says why not. Its place is bound to its connection, so none is ever lost.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Places } from '../session/places.js';
import type { OnRefusal, SocketRefusal } from '../session/refusals.js';
import { identityOf } from './access.js';
import { clientOf } from './client-address.js';
import { sendProblem } from './problem.js';

/** A hook for after the access check; it looks at upgrades alone. */
export type Admit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

const RETRY_AFTER_S = 5;

/** The status and words of each: 503 is the gateway's trouble, 429 the client's (RFC 6585 §4). */
const ANSWERS: Readonly<Record<SocketRefusal, readonly [number, string]>> = {
  too_many_sockets: [503, 'The gateway has no room for another socket.'],
  too_many_sockets_of_address: [429, 'This address has too many sockets open.'],
  too_many_sockets_of_identity: [429, 'The bearer of this token has too many sockets open.'],
};

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
    const [status, detail] = ANSWERS[reason];
    reply.header('Retry-After', String(RETRY_AFTER_S));
    await sendProblem(reply, status, reason, detail);
  };
}
