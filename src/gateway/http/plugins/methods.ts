// 405 for a method that a URL does not know: who asks for it learns which ones there are (RFC 9110 §15.5.6).

import { METHODS } from 'node:http';
import { sendProblem } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

/** Watches the routes that are made from now on; what it gives answers their other methods, and comes last. */
export function collectMethods(server: HttpServer): () => void {
  const urls = new Set<string>();
  server.addHook('onRoute', ({ url }) => void urls.add(url));
  // All that Node reads; those that Fastify does not know by itself would be answered as unknown URLs.
  for (const name of METHODS)
    if (!server.supportedMethods.includes(name)) server.addHttpMethod(name);
  return () => {
    for (const url of [...urls]) {
      const isKnown = (method: string): boolean => server.hasRoute({ method, url });
      const allowed = METHODS.filter(isKnown).join(', ');
      server.route({
        method: METHODS.filter((name) => !isKnown(name)),
        url,
        schema: { hide: true },
        // Before the body is read, and whoever asks.
        onRequest: (_request, reply) => {
          reply.header('Allow', allowed);
          sendProblem(reply, 'method_not_allowed', `This URL knows ${allowed}.`);
        },
        handler: () => undefined,
      });
    }
  };
}
