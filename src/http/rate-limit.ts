// How often one identity may ask over HTTP. Upgrades are not counted: sockets have limits of their own.

import rateLimit from '@fastify/rate-limit';
import { identityOf } from './access.js';
import type { HttpServer } from './server.js';

/** For the routes that are made after it. Counted when the token has been checked: strangers use up nobody's share. */
export async function limitRates(server: HttpServer, perMinute: number): Promise<void> {
  await server.register(rateLimit, {
    max: perMinute,
    timeWindow: 60_000,
    hook: 'preHandler',
    allowList: (request) => request.ws || request.identity === null,
    keyGenerator: (request) => {
      const { role, sub } = identityOf(request);
      return `${role}:${sub}`;
    },
    errorResponseBuilder: (_request, { after }) =>
      Object.assign(new Error(`Asked too often; again in ${after}.`), { statusCode: 429 }),
  });
}
