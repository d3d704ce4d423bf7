// `postmaster.pid`, the server's own lock on its cluster: whether a server runs there now. The pid
// in the file proves nothing by itself: after a crash, or the restart of a container, another
// program may have the same pid.

import { constants, open, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedError } from './errors.js';
import { readSystemCode } from '../../processes/system-code.js';
import { isRunning, isServerOn } from '../../processes/process-table.js';

/** How long a running server may take to end: its parent may have died a moment ago. */
const GRACE_MS = 1_000;
/** How long a stopping server may take: it writes a checkpoint first. */
const STOPPING_MS = 30_000;
const POLL_MS = 50;

const resolvePidFile = (folder: string): string => join(folder, 'postmaster.pid');

/** Reads the pid in the file; 0 if the file holds no pid, undefined if there is no file. */
export async function readPostmasterPid(folder: string): Promise<number | undefined> {
  const lines = await readLines(folder);
  return lines === undefined ? undefined : parsePid(lines);
}

/** A single-user server writes its pid with a minus sign. */
const parsePid = ([line = '']: string[]): number => Math.abs(Number.parseInt(line, 10)) || 0;

/**
 * Waits until a server may be started on the cluster in `folder`.
 *
 * The file is never removed: PostgreSQL also finds in it the shared memory that orphaned backends
 * of a killed server still use, and that a new server must not touch.
 *
 * @throws EmbeddedError `busy` if a server runs there.
 */
export async function waitUntilFree(folder: string): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    const lines = await readLines(folder);
    if (lines === undefined) return;
    const pid = parsePid(lines);
    const isStale = pid !== 0 && !(await isServerOn(pid, await realpath(folder)));
    if (isStale) return isRunning(pid) ? replaceStalePid(folder, lines) : undefined;
    const timeoutMs = lines[7]?.trim() === 'stopping' ? STOPPING_MS : GRACE_MS;
    if (performance.now() - startedAt > timeoutMs) {
      if (pid === 0) return replaceStalePid(folder, lines); // No server is about to write its pid.
      throw createBusyError(folder, pid);
    }
    await sleep(POLL_MS);
  }
}

/**
 * Replaces the pid of an unrelated process by the pid of this one. PostgreSQL refuses to start
 * while the pid in the file is alive, unless that is its own parent, which cannot be a server on
 * the cluster.
 */
async function replaceStalePid(folder: string, lines: string[]): Promise<void> {
  // Follow no symlink: the folder belongs to another account, and this process may be root.
  const flags = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = await open(resolvePidFile(folder), flags);
  try {
    await file.writeFile([String(process.pid), ...lines.slice(1)].join('\n'));
  } finally {
    await file.close();
  }
}

async function readLines(folder: string): Promise<string[] | undefined> {
  try {
    return (await readFile(resolvePidFile(folder), 'utf8')).split('\n');
  } catch (error) {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function createBusyError(folder: string, pid: number): EmbeddedError {
  return new EmbeddedError(
    'busy',
    `A PostgreSQL server (pid ${pid}) runs on ${folder}. Stop it, or choose another DATA_DIR.`,
  );
}
