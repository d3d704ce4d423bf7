// The subcommand `serve`: the database (the embedded one when none is named), the gateway on it, and their end.

import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Logger } from 'pino';
import { createApp } from '../app.js';
import { resolveSecrets, type Secrets } from '../auth/secret.js';
import { signToken } from '../auth/token.js';
import { loadConfig, type Config } from '../config.js';
import { migrate, SchemaError } from '../database/migrations.js';
import type { EmbeddedServer } from '../database/embedded/server.js';
import { bannerText } from './banner.js';
import { beginLifetime, type Lifetime } from './lifetime.js';
import { provideDatabase, type ProvidedDatabase } from './provide-database.js';
import { createLogger } from './logger.js';

/** Between two tries to reach a database that is late. */
const RETRY_MS = 1_000;
const ADMIN_TTL_SECONDS = 12 * 3_600;

export function serveCommand(): Command {
  return new Command('serve')
    .description('run the gateway; the environment configures it')
    .action(async () => {
      const config = loadConfig();
      await serve(config, createLogger(config.logLevel));
    });
}

/** From here on a signal ends the process, and so does a failure. */
async function serve(config: Config, log: Logger): Promise<void> {
  const jwtSecrets = await resolveSecrets(config);
  const lifetime = beginLifetime(log, config.drainMs);
  await start(config, jwtSecrets, lifetime, log).catch(lifetime.fail);
}

/** Returns when the gateway serves. */
async function start(
  config: Config,
  jwtSecrets: Secrets,
  lifetime: Lifetime,
  log: Logger,
): Promise<void> {
  const provided = await provideDatabase(config);
  lifetime.onEnd(provided.stop);
  provided.lost.then(lifetime.fail, lifetime.fail);
  const app = createApp({ ...config, ...provided.connections, jwtSecrets, log });
  lifetime.onEnd(app.close);
  const url = await app.listen(config.host, config.port);
  await provided.announce(url);
  await migrateWhenReachable(provided, config.migrate, log, lifetime.ending);
  if (lifetime.ending.aborted) return;
  app.startFeed();
  process.stdout.write(await banner(url, config, provided, jwtSecrets));
}

/** A database that is late is waited for; one whose schema cannot be used is not. */
async function migrateWhenReachable(
  { connections }: ProvidedDatabase,
  mode: Config['migrate'],
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const report = await migrate(connections.listenDatabase, { mode });
      if (report.applied.length > 0) log.info({ applied: report.applied }, 'migrated the schema');
      return;
    } catch (error) {
      if (error instanceof SchemaError && error.code !== 'schema_locked') throw error;
      log.warn({ err: error }, 'waiting for the database');
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function banner(
  url: string,
  config: Config,
  { embedded }: ProvidedDatabase,
  [secret]: Secrets,
): Promise<string> {
  const admin = { role: 'admin', sub: 'admin', ttlSeconds: ADMIN_TTL_SECONDS } as const;
  return bannerText({
    url,
    database:
      embedded === undefined
        ? 'as configured'
        : `PostgreSQL ${embedded.majorVersion}, embedded, in ${config.dataDir}`,
    psql: embedded && psqlLine(embedded),
    token: process.stdout.isTTY && secret ? await signToken(admin, secret) : undefined,
    signs: secret !== undefined,
    local: embedded !== undefined,
  });
}

/** The private socket asks for no password, and lets in nobody but who runs the gateway. */
function psqlLine({ connection, tcp }: EmbeddedServer): string {
  const { host, port, user, database } = connection;
  const password = process.stdout.isTTY ? `, password ${tcp?.password}` : '';
  const overTcp = tcp && `, or 127.0.0.1:${tcp.port} as ${user}${password}`;
  return `psql -h ${host} -p ${port} -U ${user} ${database}${overTcp ?? ''}`;
}
