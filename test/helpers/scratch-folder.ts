// Folders for the files that a test throws away: in memory where there is plenty of it, because a
// cluster is a thousand small files. The name carries the owner's pid, so that the next test
// removes what a killed test left.

import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../../src/processes/process-table.js';

const MEMORY = '/dev/shm';
/** A container often has 64 MiB there, which one cluster would fill. */
const ENOUGH_BYTES = 2 * 1024 ** 3;

/** A new folder, 0700. The caller removes it. */
export async function scratchFolder(): Promise<string> {
  const place = await chooseDisk();
  await sweep(place);
  return mkdtemp(join(place, `lablink-test-${process.pid}-`));
}

async function chooseDisk(): Promise<string> {
  const memory = await statfs(MEMORY).catch(() => undefined);
  const hasEnough = memory !== undefined && memory.bavail * memory.bsize > ENOUGH_BYTES;
  return hasEnough ? MEMORY : tmpdir();
}

async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    const pid = /^lablink-test-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
