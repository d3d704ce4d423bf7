// The CPU that a process and its children took, from /proc: Linux only.

import { readdir, readFile } from 'node:fs/promises';
import type { TestDatabase } from '../helpers/database.js';

/** The unit of the times in /proc, in ms: USER_HZ is 100 on every architecture of Linux. */
const TICK_MS = 10;

interface Stat {
  readonly parent: number;
  readonly ownMs: number;
  /** The CPU of children that have ended, and were waited for. */
  readonly endedChildrenMs: number;
}

async function readStat(pid: number | string): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  // The name of the program, in parentheses, may contain spaces.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return {
    parent,
    ownMs: (user + system) * TICK_MS,
    endedChildrenMs: (endedUser + endedSystem) * TICK_MS,
  };
}

/** The CPU in ms of a process and of its children, also of those that ended. */
export async function readTreeCpuMs(pid: number): Promise<number> {
  const own = await readStat(pid);
  let sumMs = (own?.ownMs ?? 0) + (own?.endedChildrenMs ?? 0);
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readStat(name) : undefined;
    if (stat?.parent === pid) sumMs += stat.ownMs;
  }
  return sumMs;
}

/** The pid of the server, which is the parent of each of its sessions. */
export async function findServerPid(database: TestDatabase): Promise<number> {
  const [row] = await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return (await readStat(row?.pid ?? 0))?.parent ?? 0;
}
