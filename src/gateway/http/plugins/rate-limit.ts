// Limits the HTTP requests per minute of one identity, successful or not. Upgrades are not counted,
// because sockets have their own limits.

import rateLimit from '@fastify/rate-limit';
import { requireIdentity, type CountRequest } from '../request/access.js';
import type { HttpServer } from '../server.js';

/**
 * Creates the function that counts requests. Call it only after the token is verified, so that
 * requests without a valid token never use up an identity's limit.
 */
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
      Object.assign(new Error(`Too many requests; try again in ${after}.`), { statusCode: 429 }),
  });
  const count = server.rateLimit();
  return async (request, reply) => {
    if (!request.ws) await count.call(server, request, reply);
  };
}
