// Adds the headers for browsers. They say which origins may read responses (CORS), that responses
// are not pages, and that no other page may embed them.

import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { HttpServer } from '../server.js';

/** How long a browser may cache the result of a preflight request. */
const PREFLIGHT_MAX_AGE_S = 600;

/**
 * The policy of JSON responses, which load nothing. `/docs` and the dashboard have their own
 * policies.
 */
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
 * Adds the headers to every route that is registered later.
 * @param allowedOrigins origins besides the gateway's own, as browsers send them
 */
export function registerBrowserHeaders(
  server: HttpServer,
  allowedOrigins: readonly string[],
): void {
  server
    .register(helmet, {
      global: false,
      contentSecurityPolicy: NO_PAGE,
      // This header applies to the whole host and its subdomains, so only the proxy that terminates
      // TLS can set it.
      strictTransportSecurity: false,
    })
    .after(() => {
      // Browsers ignore these headers of an upgrade, and creating them was 6 % of the cost of
      // opening a socket.
      server.addHook('onRequest', (request, reply, done) => {
        if (!request.ws) reply.helmet();
        done();
      });
    });
  if (allowedOrigins.length === 0) return;
  server.register(cors, {
    origin: [...allowedOrigins],
    methods: ['GET', 'PUT', 'PATCH', 'POST', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'If-Match', 'If-None-Match', 'Last-Event-ID'],
    exposedHeaders: ['Agent-Online', 'ETag', 'Link', 'Retry-After', 'WWW-Authenticate'],
    maxAge: PREFLIGHT_MAX_AGE_S,
    // The strict response to an OPTIONS that is not a preflight is plain text instead of a problem.
    strictPreflight: false,
  });
}
