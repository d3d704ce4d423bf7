// The subcommand `openapi`: prints the document of the HTTP surface. It needs no database, no gateway and no environment.

import { Command } from 'commander';
import { pino } from 'pino';
import { createApp } from '../gateway/gateway.js';

export function openApiCommand(): Command {
  return new Command('openapi')
    .description('print the OpenAPI document of the HTTP surface')
    .action(async () => {
      const app = createApp({
        // Never connected to: what describes the routes is the same code that serves them, and nothing else runs.
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
      process.stdout.write(`${JSON.stringify(await app.describe(), undefined, 2)}\n`);
      await app.close();
    });
}
