// PgBouncer in transaction mode before a test's database, as many a site has it.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { listUnprivilegedAccounts } from '../../src/postgres/embedded/account.js';
import type { Teardown, TestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { cleanEnvironment } from '../helpers/process.js';
import { until } from '../helpers/until.js';
import { startProxy } from './proxy.js';

/** Where Debian, and others, put it. */
const PROGRAM = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((path) => existsSync(path));

/** For a test's `skip`: false where PgBouncer is there. */
export const noPgBouncer = PROGRAM === undefined && 'PgBouncer is not installed';

/**
 * Starts it; resolves with how to reach the database through it. `poolSize` is its number of
 * connections to the server.
 */
export async function startPgBouncer(
  t: Teardown,
  database: TestDatabase,
  poolSize: number,
): Promise<pg.ClientConfig> {
  if (PROGRAM === undefined) throw new Error('there is no PgBouncer');
  const folder = await mkdtemp(join(tmpdir(), 'lablink-pgbouncer-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  // The socket of the server may be in a folder that only we can enter.
  const way = (await startProxy(t, database.config)).through(database.config);
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(join(folder, 'users.txt'), `"${database.config.user}" ""\n`);
  await writeFile(
    file,
    `[databases]
* = host=${way.host} port=${way.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = ${poolSize}
`,
  );
  await launch(t, PROGRAM, folder, file);
  const config = { ...database.config, host: '127.0.0.1', port };
  await until('PgBouncer answers', () => answers(config));
  return config;
}

/** It refuses to run as root. */
async function launch(t: Teardown, program: string, folder: string, file: string): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  const [command = program, ...args] = isRoot ? await wrapForRoot(program, folder) : [program];
  const child = spawn(command, [...args, '-q', file], {
    env: cleanEnvironment({}),
    stdio: 'ignore',
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
}

/** Runs the program as an account that owns the folder. */
async function wrapForRoot(program: string, folder: string): Promise<string[]> {
  const [account] = await listUnprivilegedAccounts();
  if (account === undefined) throw new TypeError('no account');
  const { uid, gid } = account;
  await chown(folder, uid, gid);
  const ids = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  return ['setpriv', ...ids, '--pdeathsig', 'KILL', '--', program];
}

async function answers(config: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
