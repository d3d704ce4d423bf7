// The OpenAPI document, made of the routes' own schemas, and the page that shows it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { createProblemSchema, PROBLEM_CODES } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

const INFO = {
  title: 'lablink-gateway',
  description:
    'VMs, who has them, and what happened. Every change goes to the database and comes back to sockets through the ' +
    'feed. `/v1/vms` and `/v1/vms/{hostname}` answer an upgrade with the state and its changes.',
  license: { name: 'MIT', identifier: 'MIT' },
};

const PROBLEM =
  'RFC 9457. Beside what an operation lists, any URL may answer 404 `not_found`, 405 `method_not_allowed`, 408 ' +
  '`request_timeout` and 431 `headers_too_large`.';

/**
 * What the page may load: itself. The plugin's own policy adds `upgrade-insecure-requests`, with which the page is blank
 * over plain HTTP anywhere but on localhost.
 */
const PAGE_POLICY = {
  'default-src': "'self'",
  'base-uri': "'self'",
  'frame-ancestors': "'none'",
  'img-src': "'self' data:",
  'object-src': "'none'",
  'style-src': "'self' 'unsafe-inline'",
};

/** Collects the routes that are made after it; what it gives makes their document, once the server is ready. */
export async function describeRoutes(server: HttpServer, version: string): Promise<() => object> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...INFO, version },
      tags: [
        { name: 'vms', description: 'The fleet.' },
        { name: 'assignments', description: 'Who gets which VM.' },
        { name: 'audit', description: 'Who got which VM when.' },
        { name: 'operation', description: 'Whether it works.' },
      ],
      components: {
        schemas: { Problem: { ...createProblemSchema(PROBLEM_CODES), description: PROBLEM } },
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
      security: [{ bearer: [] }],
    },
  });
  await server.register(swaggerUi, { routePrefix: '/docs', staticCSP: PAGE_POLICY });
  return () => server.swagger();
}
