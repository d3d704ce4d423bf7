// Finds the database of a command: the configured one, else the embedded one of the gateway that
// runs here.

import type pg from 'pg';
import type { Config } from '../config/load.js';
import { readLock } from '../postgres/embedded/lock.js';
import { UsageError } from './exit.js';

/**
 * Finds a direct connection, for LISTEN too.
 *
 * @throws UsageError if no database is configured and no gateway runs on DATA_DIR.
 */
export async function findDatabase(config: Config): Promise<pg.ClientConfig> {
  const named = config.listenDatabase ?? config.database;
  if (named !== undefined) return named;
  const lock = await readLock(config.dataDir);
  if (lock?.database !== undefined) return lock.database;
  throw new UsageError(
    `No database is configured, and no gateway runs on ${config.dataDir}: set DATABASE_URL, or start a gateway with "serve".`,
  );
}
