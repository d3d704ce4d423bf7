// Finds the database of a command: the configured one, else the embedded one of the gateway that
// runs here. Among several hosts the server is chosen once, for all connections of the command and
// for the programs that it starts.

import type pg from 'pg';
import type { Config } from '../config/load.js';
import { chooseServer } from '../postgres/choose-server.js';
import { UsageError } from './exit.js';
import { readGatewayLock } from './read-gateway-lock.js';

/**
 * Finds a direct connection, for LISTEN too.
 *
 * @throws UsageError if no database is configured and no gateway runs on DATA_DIR; NoServerError if
 * none of several hosts can be used.
 */
export async function findDatabase(config: Config): Promise<pg.ClientConfig> {
  const named = config.listenDatabase ?? config.database;
  if (named !== undefined) return chooseServer(named);
  const lock = await readGatewayLock(config);
  if (lock?.database !== undefined) return lock.database;
  throw new UsageError(
    `No database is configured, and no gateway runs on ${config.dataDir}: set DATABASE_URL, or start a gateway with "serve".`,
  );
}
