// An asynchronous standby of a test's server, made as people make one: a base backup, then
// streaming, over a link that a test can spoil.

import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { listServerAccounts } from '../../src/postgres/embedded/account.js';
import { assignCluster } from '../../src/postgres/embedded/cluster.js';
import { findServer } from '../../src/postgres/embedded/find-server.js';
import { openLog } from '../../src/postgres/embedded/log.js';
import { buildSettings } from '../../src/postgres/embedded/settings.js';
import { createSocketFolder } from '../../src/postgres/embedded/socket-folder.js';
import { startServerProcess } from '../../src/postgres/embedded/supervisor.js';
import type { Teardown, TestDatabase } from '../helpers/database.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { startProxy, type Proxy } from './proxy.js';

const PORT = 5432;

export interface Standby {
  /** The same database of the primary, on the standby. */
  readonly config: pg.ClientConfig;
  query<R extends pg.QueryResultRow>(sql: string, params?: unknown[]): Promise<R[]>;
  /** The proxy through which it streams from the primary. */
  readonly replication: Proxy;
  /** Makes it a primary, on a timeline of its own. */
  promote(): Promise<void>;
}

/**
 * Starts a standby of the server that this database is on; `binDir` has `pg_basebackup` of the same
 * version.
 */
export async function startStandby(
  t: Teardown,
  primary: TestDatabase,
  binDir: string,
): Promise<Standby> {
  const replication = await startProxy(t, primary.config);
  const { host, port } = replication.through(primary.config);
  const dataDir = await scratchFolder();
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const folder = join(dataDir, 'postgres');
  const source = ['-h', String(host), '-p', String(port), '-U', 'postgres'];
  const options = ['-D', folder, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'];
  await promisify(execFile)(join(binDir, 'pg_basebackup'), [...source, ...options]);

  // The primary's, whose socket is in the folder that was copied.
  await rm(join(folder, `.s.PGSQL.${PORT}.lock`), { force: true });
  const config = { ...primary.config, host: await start(t, binDir, dataDir, folder) };
  const pool = new pg.Pool(config);
  pool.on('error', () => undefined);
  t.teardown(() => pool.end());
  const query: TestDatabase['query'] = async <R extends pg.QueryResultRow>(
    sql: string,
    params: unknown[] = [],
  ) => (await pool.query<R>(sql, params)).rows;
  return { config, query, replication, promote: () => promote({ ...config, user: 'postgres' }) };
}

/** Gives the folder of its socket. */
async function start(
  t: Teardown,
  binDir: string,
  dataDir: string,
  folder: string,
): Promise<string> {
  const accounts = await listServerAccounts(folder);
  const { account } = await findServer({ accounts, binDir, dataDir, majorVersion: undefined });
  await assignCluster(folder, account);
  const socket = await createSocketFolder(folder, PORT, account);
  const log = await openLog(join(dataDir, 'postgres.log'));
  const { path, setting } = socket;
  const server = await startServerProcess({
    binDir,
    folder,
    account,
    log,
    settings: buildSettings({ socket: setting, port: PORT, tcp: false, more: { fsync: 'off' } }),
    probeReadiness: () =>
      untilItAnswers({ host: path, port: PORT, user: 'postgres', database: 'postgres' }),
  });
  t.teardown(async () => {
    await server.stop();
    await Promise.all([log.close(), socket.remove()]);
  });
  return path;
}

async function untilItAnswers(config: pg.ClientConfig): Promise<void> {
  await until('the standby answers', () => once(config, 'SELECT').catch(() => undefined));
}

async function promote(config: pg.ClientConfig): Promise<void> {
  await once(config, 'SELECT pg_promote()');
}

async function once(config: pg.ClientConfig, sql: string): Promise<true> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}
