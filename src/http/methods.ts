// 405 for a method that a URL does not know: who asks for it learns which ones there are (RFC 9110 §15.5.6).

import type { HTTPMethods } from 'fastify';
import { sendProblem } from './problem.js';
import type { HttpServer } from './server.js';

const METHODS: readonly HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Watches the routes that are made from now on; what it gives answers their other methods, and comes last. */
export function collectMethods(server: HttpServer): () => void {
  const known = new Map<string, Set<string>>();
  server.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    known.set(url, methods);
  });
  return () => {
    for (const [url, methods] of [...known]) {
      const allowed = [...methods].sort().join(', ');
      server.route({
        method: METHODS.filter((name) => !methods.has(name)),
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
