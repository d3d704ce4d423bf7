// Starts a gateway from its configuration: the database (the embedded one by default), then the
// gateway, and registers how they stop.

import type pg from 'pg';
import type { Logger } from 'pino';
import { createGateway } from '../gateway/gateway.js';
import type { Secrets } from '../gateway/auth/secret.js';
import type { Config } from '../config/load.js';
import { withClient } from '../postgres/client.js';
import { migrate } from '../postgres/migrations/migrate.js';
import type { Lifecycle } from './lifecycle.js';
import type { ProcessLog } from './logger.js';
import { startDatabase, type StartedDatabase } from './start-database.js';
import { waitForDatabase } from './wait-for-database.js';

/** How long a server that accepts the connection may take to answer. */
const PROBE_TIMEOUT_MS = 5_000;

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
  { log, countDropped }: ProcessLog,
): Promise<StartedGateway | undefined> {
  const database = await startDatabase(config);
  lifecycle.onEnd(database.stop);
  database.lost.then(lifecycle.fail, lifecycle.fail);
  const gateway = createGateway({
    ...config,
    ...database.connections,
    timing: { pingIntervalMs: config.pingIntervalMs, clientTimeoutMs: config.clientTimeoutMs },
    jwtSecrets,
    log,
    countDroppedLogLines: countDropped,
  });
  lifecycle.onEnd(gateway.close);
  const url = await gateway.listen(config.host, config.port);
  await database.announce(url);
  await prepareDatabase(database, config, log, lifecycle.ending);
  if (lifecycle.ending.aborted) return undefined;
  gateway.startFeed();
  return { url, database };
}

/**
 * Waits for both addresses of the database, and migrates its schema.
 *
 * @throws DatabaseWaitError if an address stays unusable; SchemaError if the schema cannot be used
 */
async function prepareDatabase(
  { connections: { database, listenDatabase } }: StartedDatabase,
  { migrate: mode, databaseWaitMs: maxWaitMs }: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const wait = { maxWaitMs, log, signal };
  const report = await waitForDatabase({ ...wait, connection: listenDatabase }, () =>
    migrate(listenDatabase, { mode }),
  );
  const applied = report?.applied ?? [];
  if (applied.length > 0) log.info({ applied }, 'migrated the schema');
  if (database !== listenDatabase)
    await waitForDatabase({ ...wait, connection: database }, () => probe(database));
}

/** Verifies that the database of the queries lets the gateway in: a pooler may have other roles. */
async function probe(database: pg.ClientConfig): Promise<void> {
  await withClient({ ...database, query_timeout: PROBE_TIMEOUT_MS }, (client) =>
    client.query('SELECT'),
  );
}
