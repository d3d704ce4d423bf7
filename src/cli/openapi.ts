// The subcommand `openapi`: prints the document of the HTTP API. It needs no database, no gateway
// and no environment.

import { Command } from 'commander';
import { pino } from 'pino';
import { createGateway } from '../gateway/gateway.js';

export function createOpenApiCommand(): Command {
  return new Command('openapi')
    .description('print the OpenAPI document of the HTTP API')
    .action(async () => {
      process.stdout.write(`${JSON.stringify(await buildOpenApiDocument(), undefined, 2)}\n`);
    });
}

/** Builds the OpenAPI document from the schemas of the routes. */
export async function buildOpenApiDocument(): Promise<object> {
  const gateway = createGateway({
    // The gateway never connects: only its routes are created, and describe themselves.
    database: {},
    listenDatabase: {},
    jwtSecrets: [],
    jwtPublicKeys: [],
    allowedOrigins: [],
    socketLimits: { total: 1, perAddress: 1, perIdentity: 1 },
    drainMs: 0,
    trustProxy: false,
    requestsPerMinute: 1,
    dashboardColumns: [],
    log: pino({ level: 'silent' }),
  });
  const document = await gateway.describe();
  await gateway.close();
  return document;
}
