// A gateway that is started from its configuration: the database (the embedded one when none is named), the gateway on
// it, and their end.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createGateway } from '../gateway/gateway.js';
import type { Secrets } from '../gateway/auth/secret.js';
import type { Config } from '../config/load.js';
import { migrate, SchemaError } from '../postgres/migrations/migrate.js';
import type { Lifetime } from './lifecycle.js';
import { provideDatabase, type ProvidedDatabase } from './resolve-database.js';

/** Between two tries to reach a database that is late. */
const RETRY_MS = 1_000;

export interface StartedGateway {
  readonly url: string;
  readonly provided: ProvidedDatabase;
}

/** Returns when the gateway serves, or with nothing when its end began before. Its end is told to `lifetime`. */
export async function startGateway(
  config: Config,
  jwtSecrets: Secrets,
  lifetime: Lifetime,
  log: Logger,
): Promise<StartedGateway | undefined> {
  const provided = await provideDatabase(config);
  lifetime.onEnd(provided.stop);
  provided.lost.then(lifetime.fail, lifetime.fail);
  const app = createGateway({ ...config, ...provided.connections, jwtSecrets, log });
  lifetime.onEnd(app.close);
  const url = await app.listen(config.host, config.port);
  await provided.announce(url);
  await migrateWhenReachable(provided, config.migrate, log, lifetime.ending);
  if (lifetime.ending.aborted) return undefined;
  app.startFeed();
  return { url, provided };
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
