// Which database a command means: the one that is named, else the embedded one of the gateway that runs here.

import type pg from 'pg';
import type { Config } from '../config/load.js';
import { readLock } from '../postgres/embedded/lock.js';
import { UsageError } from './exit.js';

/** @throws UsageError when none is named and no gateway runs here. */
export async function findDatabase(config: Config): Promise<pg.ClientConfig> {
  const named = config.listenDatabase ?? config.database;
  if (named !== undefined) return named;
  const lock = await readLock(config.dataDir);
  if (lock?.database !== undefined) return lock.database;
  throw new UsageError(
    `No database is named, and no gateway runs on ${config.dataDir}: set DATABASE_URL, or start one with "serve".`,
  );
}
