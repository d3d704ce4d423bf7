// The embedded PostgreSQL: a server of our own for those who name no database. It listens on a
// private socket, keeps everything in the data folder, and ends with the process that started it.

import { join, resolve } from 'node:path';
import { type Account, accountFor } from './account.js';
import { type Binaries, findBinaries } from './binaries.js';
import { clusterVersion, createCluster, takeOver } from './cluster.js';
import { makeWritable, unwritable } from './data-folder.js';
import { DATABASE, ensureDatabase, OWNER, SUPERUSER } from './database.js';
import { systemCode } from '../../processes/system-code.js';
import { openLog } from './log.js';
import { keptPassword } from './password.js';
import { waitUntilFree } from './postmaster.js';
import type { ServerExit } from './server-process.js';
import { settingsFor } from './settings.js';
import { socketFolder } from './socket-folder.js';
import { superviseServer } from './supervisor.js';

export { EmbeddedError, type EmbeddedErrorCode } from './errors.js';
export type { ServerExit } from './server-process.js';

/** How the owner's role connects. */
export interface EmbeddedConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface EmbeddedServer {
  /** What pg and pg-listen take: `host` is the folder of the private socket. */
  readonly connection: EmbeddedConnection;
  /** The same for people and their tools, over loopback; there when `tcpPort` was given. */
  readonly tcp: (EmbeddedConnection & { readonly password: string }) | undefined;
  readonly majorVersion: number;
  /** Settles when the server has ended, whether by stop() or not. Never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Ends it: a fast shutdown first, in the end by force. */
  readonly stop: () => Promise<void>;
}

export interface EmbeddedOptions {
  /** Holds the cluster (`postgres/`), its log, its password, and where it must be a copy of the programs. */
  readonly dataDir: string;
  /** Also listen on this port of 127.0.0.1, with a password. */
  readonly tcpPort?: number | undefined;
  /** More settings of PostgreSQL, by name. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Use the server in this folder and no other. */
  readonly binDir?: string | undefined;
}

/** Without TCP it is but a part of the socket's name. */
const DEFAULT_PORT = 5432;

/**
 * Starts the server on the data folder, making its cluster, role and database as needed. The caller
 * holds the folder's lock, and calls from the main thread: the server ends with the calling thread.
 *
 * @throws EmbeddedError for what a person can do something about.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const dataDir = resolve(options.dataDir);
  const folder = join(dataDir, 'postgres');
  try {
    await makeWritable(dataDir);
    const account = await accountFor(folder);
    const binaries = await prepare(folder, account, { ...options, dataDir });
    return await start({ ...options, dataDir, folder, account, binaries });
  } catch (error) {
    throw systemCode(error) === undefined ? error : unwritable(dataDir, error);
  }
}

/** Brings the cluster to where a server can be started on it. */
async function prepare(
  folder: string,
  account: Account | undefined,
  { dataDir, binDir, settings }: EmbeddedOptions,
): Promise<Binaries> {
  const majorVersion = await clusterVersion(folder);
  const binaries = await findBinaries({ majorVersion, binDir, account, dataDir });
  if (majorVersion === undefined) {
    await createCluster({ folder, binaries, account, durable: settings?.fsync !== 'off' });
  } else {
    await waitUntilFree(folder);
    await takeOver(folder, account);
  }
  return binaries;
}

interface Prepared extends EmbeddedOptions {
  readonly folder: string;
  readonly account: Account | undefined;
  readonly binaries: Binaries;
}

async function start(options: Prepared): Promise<EmbeddedServer> {
  const { dataDir, folder, account, binaries, tcpPort, settings: more } = options;
  const port = tcpPort ?? DEFAULT_PORT;
  const password = tcpPort === undefined ? undefined : await keptPassword(dataDir);
  const log = await openLog(join(dataDir, 'postgres.log'));
  const socket = await socketFolder(folder, port, account);
  // What fails here says nothing about the server.
  const cleanUp = (): Promise<unknown> => Promise.allSettled([log.close(), socket.remove()]);
  const superuser = { host: socket.path, port, user: SUPERUSER, database: 'postgres' };
  const tcp = password !== undefined;
  try {
    const server = await superviseServer({
      ...{ binDir: binaries.binDir, folder, account, log },
      settings: settingsFor({ socket: socket.setting, port, tcp, more }),
      greet: () => ensureDatabase(superuser, password),
    });
    const exited = server.exited.then((exit) => cleanUp().then(() => exit));
    const connection = { host: socket.path, port, user: OWNER, database: DATABASE };
    return {
      connection,
      tcp: tcp ? { ...connection, host: '127.0.0.1', password } : undefined,
      majorVersion: binaries.majorVersion,
      exited,
      stop: () => server.stop().then(() => exited.then(() => undefined)),
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
