// Answers 405 for a method that a URL does not support, with the list of supported methods (RFC
// 9110 §15.5.6).

import { METHODS } from 'node:http';
import { sendProblem } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

/**
 * Collects the routes that are registered later.
 * @returns a function that registers their other methods, to be called last
 */
export function collectMethods(server: HttpServer): () => void {
  const urls = new Set<string>();
  server.addHook('onRoute', ({ url }) => void urls.add(url));
  // All methods that Node parses. Fastify would answer 404 for those that it does not support by
  // default.
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
        // Before the body is read, and without a token.
        onRequest: (_request, reply) => {
          reply.header('Allow', allowed);
          sendProblem(reply, 'method_not_allowed', `This URL supports ${allowed}.`);
        },
        handler: () => undefined,
      });
    }
  };
}
