// Locks that are files: one process at a time holds a lock, and the file names that process. A lock
// is valid while its holder lives; exactly one of the contenders takes over a stale lock.

import { createHash, randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { isAlive, readProcessStart } from './process-table.js';
import { readSystemCode } from './system-code.js';

/** What every lock file says about its holder; a lock may add more fields. */
export const LockHolder = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  /** Distinguishes the holder from a later process with its pid; absent if the system hides it. */
  processStart: Type.Optional(Type.String()),
  /** When the lock was taken, in ISO 8601. */
  startedAt: Type.String(),
});
export type LockHolder = Static<typeof LockHolder>;
const lockHolder = Compile(LockHolder);

/** Describes this process as the holder of a lock. */
export async function describeThisProcess(): Promise<LockHolder> {
  const processStart = await readProcessStart(process.pid);
  return {
    pid: process.pid,
    ...(processStart === undefined ? {} : { processStart }),
    startedAt: new Date().toISOString(),
  };
}

/**
 * Takes the lock at `path`. The file then holds `text`, the JSON of a holder.
 *
 * @returns undefined if this process now has the lock, else the live process that holds it.
 */
export async function takeLock(path: string, text: string): Promise<LockHolder | undefined> {
  const candidate = await writeBeside(path, text);
  try {
    return await claim(path, path, candidate);
  } finally {
    await rm(candidate, { force: true });
  }
}

/** Replaces the text of the lock at `path`, which this process holds. */
export async function rewriteLock(path: string, text: string): Promise<void> {
  await rename(await writeBeside(path, text), path);
}

/** Removes the lock, if the file still holds `text`. */
export async function releaseLock(path: string, text: string): Promise<void> {
  if ((await readLockFile(path)) === text) await rm(path, { force: true });
}

/** Reads the text of the lock at `path`; undefined if there is no file. */
export async function readLockFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Finds the live process that a lock file with this text names. Undefined if the process has ended,
 * or if the text is not a lock: a full disk may have cut the file off.
 */
export async function findLiveHolder(text: string): Promise<LockHolder | undefined> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!lockHolder.Check(content)) return undefined;
  return (await isAlive(content.pid, content.processStart)) ? content : undefined;
}

/** Writes a new file beside the lock, so that the lock is complete the moment it appears. */
async function writeBeside(path: string, text: string): Promise<string> {
  const file = `${path}.${randomUUID()}`;
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  return file;
}

/**
 * Makes `path` a hard link to the file `candidate`. A dead holder's file may be replaced only by
 * the process that holds the right to succeed exactly that holder. This right is a lock of the same
 * kind, so it too survives the death of its holder. A single rename replaces the file and gives up
 * the right.
 */
async function claim(
  lock: string,
  path: string,
  candidate: string,
): Promise<LockHolder | undefined> {
  while (!(await createLink(candidate, path))) {
    const found = await readLockFile(path);
    if (found === undefined) continue; // The holder has released the lock.
    const holder = await findLiveHolder(found);
    if (holder !== undefined) return holder;
    const succession = `${lock}.after-${createHash('sha256').update(found).digest('hex')}`;
    const rival = await claim(lock, succession, candidate);
    if (rival !== undefined) return rival;
    if ((await readLockFile(path)) === found) {
      await rename(succession, path);
      return undefined;
    }
    await rm(succession);
  }
  return undefined;
}

async function createLink(target: string, path: string): Promise<boolean> {
  try {
    await link(target, path);
    return true;
  } catch (error) {
    if (readSystemCode(error) !== 'EEXIST') throw error;
    return false;
  }
}
