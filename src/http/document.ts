// The OpenAPI document, made of the routes' own schemas, and the page that shows it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { HttpServer } from './server.js';

const ABOUT = {
  title: 'lablink-gateway',
  description:
    'VMs, who has them, and what happened. Every change goes to the database and comes back to sockets through the ' +
    'feed. `/v1/vms` and `/v1/vms/{hostname}` answer an upgrade with the state and its changes.',
  license: { name: 'MIT', identifier: 'MIT' },
};

/** Collects the routes that are made after it. */
export async function describeRoutes(server: HttpServer, version: string): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...ABOUT, version },
      tags: [
        { name: 'vms', description: 'The fleet.' },
        { name: 'assignments', description: 'Who gets which VM.' },
        { name: 'audit', description: 'Who got which VM when.' },
        { name: 'operation', description: 'Whether it works.' },
      ],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
      security: [{ bearer: [] }],
    },
  });
  await server.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
}
