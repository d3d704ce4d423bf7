// `postmaster.pid`, the server's own lock on its cluster: whether a server runs there now. The pid
// in it proves nothing by itself: after a crash, and after every restart of a container, another
// program may have it.

import { constants, open, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedError } from './errors.js';
import { systemCode } from '../../processes/system-code.js';
import { isRunning, isServerOn } from '../../processes/process-table.js';

/** How long a server that nobody has told to stop is given to do so: its parent may just have died. */
const GRACE_MS = 1_000;
/** How long a server that is stopping is waited for: it writes out what it holds first. */
const STOPPING_MS = 30_000;
const POLL_MS = 50;

const fileIn = (folder: string): string => join(folder, 'postmaster.pid');

/** The pid in the file; 0 when the file is empty or says something else, undefined without a file. */
export async function holderOf(folder: string): Promise<number | undefined> {
  const lines = await readLines(folder);
  return lines === undefined ? undefined : pidIn(lines);
}

/** A server for a single user writes its pid with a minus sign. */
const pidIn = ([line = '']: string[]): number => Math.abs(Number.parseInt(line, 10)) || 0;

/**
 * Returns when a server may be started on the cluster in `folder`.
 *
 * The file is never removed: by it PostgreSQL also finds the memory that orphaned backends of a
 * killed server still use, which a new server must not disturb.
 *
 * @throws EmbeddedError `busy` when a server runs there.
 */
export async function waitUntilFree(folder: string): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    const lines = await readLines(folder);
    if (lines === undefined) return;
    const pid = pidIn(lines);
    const stranger = pid !== 0 && !(await isServerOn(pid, await realpath(folder)));
    if (stranger) return isRunning(pid) ? disown(folder, lines) : undefined;
    const patience = lines[7]?.trim() === 'stopping' ? STOPPING_MS : GRACE_MS;
    if (performance.now() - startedAt > patience) {
      if (pid === 0) return disown(folder, lines); // Nobody is about to fill it in.
      throw busy(folder, pid);
    }
    await sleep(POLL_MS);
  }
}

/**
 * Puts our pid in the place of a stranger's. PostgreSQL refuses to start while the pid in the file is
 * alive, unless it is the new server's own parent, which cannot be a server on this cluster.
 */
async function disown(folder: string, lines: string[]): Promise<void> {
  // Not through a link: the folder is another account's, and we may be root.
  const flags = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = await open(fileIn(folder), flags);
  try {
    await file.writeFile([String(process.pid), ...lines.slice(1)].join('\n'));
  } finally {
    await file.close();
  }
}

async function readLines(folder: string): Promise<string[] | undefined> {
  try {
    return (await readFile(fileIn(folder), 'utf8')).split('\n');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function busy(folder: string, pid: number): EmbeddedError {
  return new EmbeddedError(
    'busy',
    `A PostgreSQL server (pid ${pid}) runs on ${folder}. Stop it, or choose another DATA_DIR.`,
  );
}
