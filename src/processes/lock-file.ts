// Locks that are files: one process at a time holds one, and the file says which. A lock counts as long as its holder
// lives; one that was left behind is taken over by exactly one of those who try.

import { createHash, randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { birthMark, isAlive } from './process-table.js';
import { systemCode } from './system-code.js';

/** What every lock says of its holder; it may say more. */
export const LockHolder = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  /** Tells the holder from a later process with its pid; absent where the system does not say. */
  birthMark: Type.Optional(Type.String()),
  /** ISO 8601. */
  startedAt: Type.String(),
});
export type LockHolder = Static<typeof LockHolder>;
const lockHolder = Compile(LockHolder);

/** This process as the holder of a lock. */
export async function thisProcess(): Promise<LockHolder> {
  const mark = await birthMark(process.pid);
  return {
    pid: process.pid,
    ...(mark === undefined ? {} : { birthMark: mark }),
    startedAt: new Date().toISOString(),
  };
}

/**
 * Takes the lock at `path`, which then holds `text`, the JSON of a holder.
 * @returns the live process that has it; undefined when it is taken.
 */
export async function takeLock(path: string, text: string): Promise<LockHolder | undefined> {
  const mine = await writeBeside(path, text);
  try {
    return await claim(path, path, mine);
  } finally {
    await rm(mine, { force: true });
  }
}

/** Changes what the lock at `path`, which is held, says. */
export async function rewriteLock(path: string, text: string): Promise<void> {
  await rename(await writeBeside(path, text), path);
}

/** Removes the lock, if it still says this. */
export async function releaseLock(path: string, text: string): Promise<void> {
  if ((await readLockFile(path)) === text) await rm(path, { force: true });
}

/** What the lock at `path` says; undefined when there is none. */
export async function readLockFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Who holds a lock that says this; a file that is no lock (cut off by a full disk, say) has no holder. */
export async function liveHolder(text: string): Promise<LockHolder | undefined> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!lockHolder.Check(content)) return undefined;
  return (await isAlive(content.pid, content.birthMark)) ? content : undefined;
}

/** A file of its own beside the lock: what becomes the lock is complete from its first moment. */
async function writeBeside(path: string, text: string): Promise<string> {
  const file = `${path}.${randomUUID()}`;
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  return file;
}

/**
 * Makes `path` a link to the file `mine`. Where a dead holder's file is in the way, only he who holds
 * the right to succeed exactly that holder may replace it; that right is a lock of the same kind, so
 * it too survives the death of whoever has it. Replacing and giving up the right are one rename.
 */
async function claim(lock: string, path: string, mine: string): Promise<LockHolder | undefined> {
  while (!(await linked(mine, path))) {
    const found = await readLockFile(path);
    if (found === undefined) continue; // Released since.
    const holder = await liveHolder(found);
    if (holder !== undefined) return holder;
    const succession = `${lock}.after-${createHash('sha256').update(found).digest('hex')}`;
    const rival = await claim(lock, succession, mine);
    if (rival !== undefined) return rival;
    if ((await readLockFile(path)) === found) {
      await rename(succession, path);
      return undefined;
    }
    await rm(succession);
  }
  return undefined;
}

async function linked(mine: string, path: string): Promise<boolean> {
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return false;
  }
}
