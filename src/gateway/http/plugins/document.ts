// Creates the OpenAPI document from the schemas of the routes, and serves the page that shows it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { createProblemSchema, PROBLEM_CODES } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

const INFO = {
  title: 'lablink-gateway',
  description:
    'VMs, their assignments and their history. Every change is written to the database, and reaches WebSockets through ' +
    'the feed. `/v1/vms` and `/v1/vms/{hostname}` also accept a WebSocket, which sends the state and its changes, or send ' +
    'the same as Server-Sent Events.',
  license: { name: 'MIT', identifier: 'MIT' },
};

const PROBLEM =
  'RFC 9457. In addition to the listed problems, every URL may answer 404 `not_found`, 405 `method_not_allowed`, 408 ' +
  '`request_timeout`, 429 `too_many_requests` and 431 `headers_too_large`.';

/**
 * The page may load its own files only. The plugin's default policy has
 * `upgrade-insecure-requests`, which leaves the page blank over plain HTTP except on localhost.
 */
const PAGE_POLICY = {
  'default-src': "'self'",
  'base-uri': "'self'",
  'frame-ancestors': "'none'",
  'img-src': "'self' data:",
  'object-src': "'none'",
  'style-src': "'self' 'unsafe-inline'",
};

/**
 * Collects the routes that are registered later.
 * @returns a function that creates their document once the server is ready
 */
export async function describeRoutes(server: HttpServer, version: string): Promise<() => object> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...INFO, version },
      tags: [
        { name: 'vms', description: 'The VMs of the fleet.' },
        { name: 'assignments', description: 'The assignment of VMs to people.' },
        { name: 'audit', description: 'The history of all changes.' },
        { name: 'operation', description: 'Health and metrics.' },
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
