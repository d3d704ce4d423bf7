// What browsers are told: which sites may read answers (CORS), and that no answer but `/docs` is a page,
// and none belongs into one.

import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { HttpServer } from '../server.js';

/** For how long a browser may remember what a site may send. */
const PREFLIGHT_MAX_AGE_S = 600;

/** JSON needs nothing of a browser. The one page there is, `/docs`, has a policy of its own: see document.ts. */
const NO_PAGE = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
};

/**
 * Adds the headers to every route that follows.
 * @param allowedOrigins sites besides the gateway's own, as browsers name them
 */
export function registerBrowserHeaders(
  server: HttpServer,
  allowedOrigins: readonly string[],
): void {
  server
    .register(helmet, {
      global: false,
      contentSecurityPolicy: NO_PAGE,
      // Says something of the whole host, and of hosts below it: for the proxy that ends TLS to say.
      strictTransportSecurity: false,
    })
    .after(() => {
      // No browser shows what an upgrade was answered, and to make the headers was 6 % of what a socket's opening cost.
      server.addHook('onRequest', (request, reply, done) => {
        if (!request.ws) reply.helmet();
        done();
      });
    });
  if (allowedOrigins.length === 0) return;
  server.register(cors, {
    origin: [...allowedOrigins],
    methods: ['GET', 'PUT', 'PATCH', 'POST', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'If-Match'],
    exposedHeaders: ['Agent-Online', 'ETag', 'Link', 'Retry-After', 'WWW-Authenticate'],
    maxAge: PREFLIGHT_MAX_AGE_S,
    // The strict answer to an OPTIONS that is no preflight is plain text, and no problem.
    strictPreflight: false,
  });
}
