// The database that `serve` runs on: the one that is named, or the embedded one, started here and held by a lock
// so that other commands find it.

import type pg from 'pg';
import type { Config } from '../config/load.js';
import { acquireLock, type Lock } from '../postgres/embedded/lock.js';
import { EmbeddedError, startEmbedded, type EmbeddedServer } from '../postgres/embedded/server.js';

export interface StartedDatabase {
  readonly connections: {
    readonly database: pg.ClientConfig;
    readonly listenDatabase: pg.ClientConfig;
  };
  /** The embedded server, or undefined. */
  readonly embedded: EmbeddedServer | undefined;
  /** Settles, with the reason, if the embedded server ends by itself. */
  readonly lost: Promise<EmbeddedError>;
  /** Tells other commands where the gateway serves. */
  readonly announce: (url: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Where the guide's programs look for a database; taken by another server, the private socket is left. */
const TCP_PORT = 5432;

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
