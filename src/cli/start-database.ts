// Starts the database of `serve`: the configured one, or the embedded one, whose lock lets other
// commands find it.

import type pg from 'pg';
import type { Config } from '../config/load.js';
import { acquireLock, type Lock } from '../postgres/embedded/lock.js';
import { EmbeddedError, startEmbedded, type EmbeddedServer } from '../postgres/embedded/server.js';

/** The gateway's database. */
export interface StartedDatabase {
  readonly connections: {
    readonly database: pg.ClientConfig;
    readonly listenDatabase: pg.ClientConfig;
  };
  /** Undefined if a database is configured. */
  readonly embedded: EmbeddedServer | undefined;
  /** Resolves with the reason if the embedded server ends by itself. */
  readonly lost: Promise<EmbeddedError>;
  /** Publishes the gateway's URL in the lock, for other commands. */
  readonly announce: (url: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * The port where the guide's programs look for a database. If it is taken, only the socket is used.
 */
const TCP_PORT = 5432;

/**
 * Returns the configured database, or starts the embedded one.
 *
 * @throws EmbeddedError if the embedded server cannot be started.
 */
export async function startDatabase(config: Config): Promise<StartedDatabase> {
  const { database, listenDatabase = database, dataDir } = config;
  if (database !== undefined && listenDatabase !== undefined) {
    return {
      connections: { database, listenDatabase },
      embedded: undefined,
      lost: new Promise(() => undefined),
      announce: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    };
  }
  const lock = await acquireLock(dataDir);
  try {
    return createStartedDatabase(await startWithFreePort(dataDir), lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function startWithFreePort(dataDir: string): Promise<EmbeddedServer> {
  try {
    return await startEmbedded({ dataDir, tcpPort: TCP_PORT });
  } catch (error) {
    if (!(error instanceof EmbeddedError) || error.code !== 'port_taken') throw error;
    return await startEmbedded({ dataDir });
  }
}

function createStartedDatabase(embedded: EmbeddedServer, lock: Lock): StartedDatabase {
  const database = embedded.connection;
  return {
    connections: { database, listenDatabase: database },
    embedded,
    lost: embedded.exited.then(({ expected, reason }) =>
      expected
        ? new Promise<EmbeddedError>(() => undefined)
        : new EmbeddedError('start_failed', `The embedded PostgreSQL ended: ${reason}`),
    ),
    announce: (url) => lock.update({ url, database }),
    stop: async () => {
      await embedded.stop();
      await lock.release();
    },
  };
}
