// How often one identity may ask over HTTP, whatever it is answered. Upgrades are not counted: sockets have limits of
// their own.

import rateLimit from '@fastify/rate-limit';
import { requireIdentity, type CountRequest } from '../request/access.js';
import type { HttpServer } from '../server.js';

/** Makes what counts. To be called when the token has been checked: strangers use up nobody's share. */
export async function createRateLimit(
  server: HttpServer,
  perMinute: number,
): Promise<CountRequest> {
  await server.register(rateLimit, {
    global: false,
    max: perMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => {
      const { role, sub } = requireIdentity(request);
      return `${role}:${sub}`;
    },
    errorResponseBuilder: (_request, { after }) =>
      Object.assign(new Error(`Asked too often; again in ${after}.`), { statusCode: 429 }),
  });
  const count = server.rateLimit();
  return async (request, reply) => {
    if (!request.ws) await count.call(server, request, reply);
  };
}
