// The subcommand `serve`: runs the gateway until a signal, and prints a banner once it serves.

import { Command } from 'commander';
import type { Logger } from 'pino';
import { resolveSecrets, type Secrets } from '../gateway/auth/secret.js';
import { signToken } from '../gateway/auth/token.js';
import { isLoopback } from '../config/address.js';
import { loadConfig, type Config } from '../config/load.js';
import type { EmbeddedServer } from '../postgres/embedded/server.js';
import { formatBanner } from './banner.js';
import { startLifecycle } from './lifecycle.js';
import type { StartedDatabase } from './start-database.js';
import { createLogger } from './logger.js';
import { startGateway } from './start-gateway.js';

const ADMIN_TTL_SECONDS = 12 * 3_600;

export function createServeCommand(): Command {
  return new Command('serve')
    .description('run the gateway; the environment configures it')
    .action(async () => {
      const config = loadConfig();
      await serve(config, createLogger(config.logLevel));
    });
}

/** Runs the gateway; a signal or a failure ends the process. */
async function serve(config: Config, log: Logger): Promise<void> {
  const jwtSecrets = await resolveSecrets(config);
  const lifecycle = startLifecycle(log, config.drainMs);
  const started = await startGateway(config, jwtSecrets, lifecycle, log).catch(lifecycle.fail);
  if (started === undefined) return;
  process.stdout.write(buildBanner(started.url, config, started.database, jwtSecrets));
}

function buildBanner(
  url: string,
  config: Config,
  { embedded }: StartedDatabase,
  [secret]: Secrets,
): string {
  const admin = { role: 'admin', sub: 'admin', ttlSeconds: ADMIN_TTL_SECONDS } as const;
  return formatBanner({
    url,
    database:
      embedded === undefined
        ? 'as configured'
        : `PostgreSQL ${embedded.majorVersion}, embedded, in ${config.dataDir}`,
    psql: embedded && formatPsqlCommand(embedded),
    token: process.stdout.isTTY && secret ? signToken(admin, secret) : undefined,
    signs: secret !== undefined,
    local: embedded !== undefined,
    loopback: isLoopback(config.host),
  });
}

/**
 * Formats the psql command. The private socket needs no password: only the gateway's user can use
 * it.
 */
function formatPsqlCommand({ connection, tcp }: EmbeddedServer): string {
  const { host, port, user, database } = connection;
  const password = process.stdout.isTTY ? `, password ${tcp?.password}` : '';
  const overTcp = tcp && `, or 127.0.0.1:${tcp.port} as ${user}${password}`;
  return `psql -h ${host} -p ${port} -U ${user} ${database}${overTcp ?? ''}`;
}
