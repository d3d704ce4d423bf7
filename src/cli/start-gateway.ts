// Starts a gateway from its configuration: the database (the embedded one by default), then the
// gateway, and registers how they stop.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createGateway } from '../gateway/gateway.js';
import type { Secrets } from '../gateway/auth/secret.js';
import type { Config } from '../config/load.js';
import { migrate, SchemaError } from '../postgres/migrations/migrate.js';
import type { Lifecycle } from './lifecycle.js';
import { startDatabase, type StartedDatabase } from './start-database.js';

/** The pause between two attempts to reach the database. */
const RETRY_MS = 1_000;

export interface StartedGateway {
  readonly url: string;
  readonly database: StartedDatabase;
}

/**
 * Resolves once the gateway serves and the schema is migrated; undefined if the shutdown began
 * before. Registers the shutdown of both parts with `lifecycle`.
 */
export async function startGateway(
  config: Config,
  jwtSecrets: Secrets,
  lifecycle: Lifecycle,
  log: Logger,
): Promise<StartedGateway | undefined> {
  const database = await startDatabase(config);
  lifecycle.onEnd(database.stop);
  database.lost.then(lifecycle.fail, lifecycle.fail);
  const gateway = createGateway({ ...config, ...database.connections, jwtSecrets, log });
  lifecycle.onEnd(gateway.close);
  const url = await gateway.listen(config.host, config.port);
  await database.announce(url);
  await migrateWhenReachable(database, config.migrate, log, lifecycle.ending);
  if (lifecycle.ending.aborted) return undefined;
  gateway.startFeed();
  return { url, database };
}

/** Waits for a database that cannot be reached. Rejects if its schema cannot be used. */
async function migrateWhenReachable(
  { connections }: StartedDatabase,
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
