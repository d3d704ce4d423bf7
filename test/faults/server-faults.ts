// Faults of a PostgreSQL server: frozen, crashed, killed. All are signals, as the kernel, an
// operator or an out-of-memory killer would send them.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning } from '../../src/processes/process-table.js';
import type { TestDatabase } from '../helpers/database.js';
import { listening } from '../helpers/sessions.js';
import { until } from '../helpers/until.js';

/**
 * Ends the LISTEN sessions of this database as an operator does, by `pg_terminate_backend`; says
 * how many.
 */
export async function terminateListeners(database: TestDatabase): Promise<number> {
  const pids = await listening(database);
  const ended = await database.query<{ ended: boolean }>(
    'SELECT pg_terminate_backend(pid) AS ended FROM unnest($1::int[]) AS pid',
    [pids],
  );
  return ended.filter((row) => row.ended).length;
}

/**
 * Stops every process of the server, so that its sockets accept and no process answers. Returns the
 * function that lets it go on.
 */
export async function freeze(database: TestDatabase): Promise<() => void> {
  const postmaster = await readPostmasterPid(database);
  const backends = await database.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
  const pids = [postmaster, ...backends.map(({ pid }) => pid)];
  signal(pids, 'SIGSTOP');
  return () => signal(pids, 'SIGCONT');
}

/** Kills one of its backends: the server ends all sessions, and recovers by itself. */
export async function crash(database: TestDatabase): Promise<void> {
  const [session] = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' LIMIT 1`,
  );
  if (session === undefined) throw new Error('the server has no session');
  process.kill(session.pid, 'SIGKILL');
}

/** Kills the server, and resolves when it is gone. It is for the caller to start it again. */
export async function kill(database: TestDatabase): Promise<void> {
  const postmaster = await readPostmasterPid(database);
  process.kill(postmaster, 'SIGKILL');
  await until('the server is gone', () => !isRunning(postmaster));
}

/**
 * The lock file beside the socket has its process id in the first line, as `postmaster.pid` has.
 */
async function readPostmasterPid({ config: { host, port } }: TestDatabase): Promise<number> {
  const lock = await readFile(join(String(host), `.s.PGSQL.${port}.lock`), 'utf8');
  return Number.parseInt(lock);
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended meanwhile.
    }
  }
}
