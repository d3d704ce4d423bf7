// Creates the OpenAPI document from the schemas of the routes, and serves the page that shows it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { nameSchemas, type NamedSchemas } from '../../../protocol/name-schemas.js';
import { LICENSE_URL, REPOSITORY_URL } from '../../../protocol/repository.js';
import type { HttpServer } from '../server.js';
import { serveFromMemory } from './document-files.js';

const INFO = {
  title: 'lablink-gateway',
  description:
    'VMs, their assignments and their history. Every change is written to the database, and reaches WebSockets through ' +
    'the feed. `/v1/vms` and `/v1/vms/{hostname}` also accept a WebSocket, which sends the state and its changes, or send ' +
    'the same as Server-Sent Events.',
  contact: { name: 'lablink-gateway', url: REPOSITORY_URL },
  license: { name: 'MIT', url: LICENSE_URL },
};

/** The first one is where the document itself was fetched from. */
const SERVERS = [
  { url: '/', description: 'The gateway that serves this document.' },
  {
    url: '{origin}',
    description: 'Any gateway.',
    variables: { origin: { default: 'http://127.0.0.1:8080', description: 'Scheme and host.' } },
  },
];

const PAGE_PATH = '/docs';

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
      servers: SERVERS,
      tags: [
        { name: 'vms', description: 'The VMs of the fleet.' },
        { name: 'assignments', description: 'The assignment of VMs to people.' },
        { name: 'audit', description: 'The history of all changes.' },
        { name: 'operation', description: 'Health and metrics.' },
      ],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
      security: [{ bearer: [] }],
    },
    transformObject: (made) =>
      'openapiObject' in made ? nameSchemasOfRoutes(made.openapiObject) : made.swaggerObject,
  });
  await server.register(async (page: HttpServer) => {
    serveFromMemory(page, PAGE_PATH, () => server.swagger());
    await page.register(swaggerUi, { routePrefix: PAGE_PATH, staticCSP: PAGE_POLICY });
  });
  return () => server.swagger();
}

/** Moves the named schemas of the routes into the components. */
function nameSchemasOfRoutes<T extends { paths?: unknown; components?: object | undefined }>(
  document: T,
) {
  const schemas: NamedSchemas = {};
  const paths = nameSchemas(document.paths, schemas);
  return Object.assign({}, document, { paths, components: { ...document.components, schemas } });
}
