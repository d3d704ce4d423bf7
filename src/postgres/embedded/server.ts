// The embedded PostgreSQL, for gateways without a configured database. It listens on a private
// socket, keeps everything in the data folder, and ends with the process that started it.

import { join, resolve } from 'node:path';
import { listServerAccounts } from './account.js';
import { readClusterVersion, createCluster, assignCluster } from './cluster.js';
import { ensureDataFolder, createUnwritableError } from './data-folder.js';
import { DATABASE, ensureDatabase, OWNER, SUPERUSER } from './database.js';
import { readSystemCode } from '../../processes/system-code.js';
import { findServer, type RunnableServer } from './find-server.js';
import { openLog } from './log.js';
import { readOrCreatePassword } from './password.js';
import { waitUntilFree } from './postmaster.js';
import type { ServerExit } from './server-process.js';
import { buildSettings } from './settings.js';
import { createSocketFolder } from './socket-folder.js';
import { startServerProcess } from './supervisor.js';

export { EmbeddedError, type EmbeddedErrorCode } from './errors.js';
export type { ServerExit } from './server-process.js';

/** How the owner's role connects. */
export interface EmbeddedConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** A running embedded server. */
export interface EmbeddedServer {
  /** For pg and pg-listen: `host` is the folder of the private socket. */
  readonly connection: EmbeddedConnection;
  /** For people and their tools, over loopback; undefined unless `tcpPort` was given. */
  readonly tcp: (EmbeddedConnection & { readonly password: string }) | undefined;
  readonly majorVersion: number;
  /** Resolves when the server has ended, by stop() or by itself. Never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Ends the server: a fast shutdown first, SIGKILL in the end. */
  readonly stop: () => Promise<void>;
}

export interface EmbeddedOptions {
  /** Holds the cluster (`postgres/`), its log and its password. */
  readonly dataDir: string;
  /** Also listen on this port of 127.0.0.1, with a password. */
  readonly tcpPort?: number | undefined;
  /** More settings of PostgreSQL by name; they override the usual ones. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Use only the server in this folder. */
  readonly binDir?: string | undefined;
}

/** Without TCP the port is only a part of the socket's name. */
const DEFAULT_PORT = 5432;

/**
 * Starts the server on the data folder, and creates its cluster, role and database if necessary.
 * The caller holds the folder's lock, and calls from the main thread: the server ends with that
 * thread.
 *
 * @throws EmbeddedError for failures that a person can mend.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const dataDir = resolve(options.dataDir);
  const folder = join(dataDir, 'postgres');
  try {
    await ensureDataFolder(dataDir);
    const server = await prepareCluster(folder, { ...options, dataDir });
    return await startOnCluster({ ...options, ...server, dataDir, folder });
  } catch (error) {
    throw readSystemCode(error) === undefined ? error : createUnwritableError(dataDir, error);
  }
}

/** Finds the server to use, and brings the cluster into a state in which that server can start. */
async function prepareCluster(
  folder: string,
  { dataDir, binDir, settings }: EmbeddedOptions,
): Promise<RunnableServer> {
  const majorVersion = await readClusterVersion(folder);
  const accounts = await listServerAccounts(folder);
  const server = await findServer({ majorVersion, binDir, accounts, dataDir });
  if (majorVersion === undefined) {
    await createCluster({ ...server, folder, durable: settings?.fsync !== 'off' });
  } else {
    await waitUntilFree(folder);
    await assignCluster(folder, server.account);
  }
  return server;
}

interface PreparedOptions extends EmbeddedOptions, RunnableServer {
  /** The cluster's folder, absolute. */
  readonly folder: string;
}

async function startOnCluster(options: PreparedOptions): Promise<EmbeddedServer> {
  const { dataDir, folder, account, binaries, tcpPort, settings: more } = options;
  const port = tcpPort ?? DEFAULT_PORT;
  const password = tcpPort === undefined ? undefined : await readOrCreatePassword(dataDir);
  const log = await openLog(join(dataDir, 'postgres.log'));
  const socket = await createSocketFolder(folder, port, account);
  // The outcome of the server does not depend on these.
  const cleanUp = (): Promise<unknown> => Promise.allSettled([log.close(), socket.remove()]);
  const superuser = { host: socket.path, port, user: SUPERUSER, database: 'postgres' };
  const tcp = password !== undefined;
  try {
    const server = await startServerProcess({
      binDir: binaries.binDir,
      folder,
      account,
      log,
      settings: buildSettings({ socket: socket.setting, port, tcp, more }),
      probeReadiness: () => ensureDatabase(superuser, password),
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
