// The data folder's lock, `gateway.lock`: one gateway at a time uses the folder, and the file says
// which one and how to reach it, so that other commands can use it meanwhile. A lock counts as long as
// its holder lives; one that was left behind is taken over by exactly one of those who try.

import { createHash, randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { EmbeddedError, systemCode } from './errors.js';
import { makeWritable, unwritable } from './data-folder.js';
import { birthMark, isAlive } from './process-table.js';

const LockContent = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  /** Tells the holder from a later process with its pid; absent where the system does not say. */
  birthMark: Type.Optional(Type.String()),
  /** ISO 8601. */
  startedAt: Type.String(),
  /** Where the gateway listens; there once it does. */
  url: Type.Optional(Type.String()),
  /** How to reach the embedded server; there once it answers. */
  database: Type.Optional(
    Type.Object({
      host: Type.String(),
      port: Type.Integer(),
      user: Type.String(),
      database: Type.String(),
      password: Type.Optional(Type.String()),
    }),
  ),
});
export type LockContent = Static<typeof LockContent>;
const lockContent = Compile(LockContent);

/** What a gateway says about itself once it knows. */
export type LockDetails = Pick<LockContent, 'url' | 'database'>;

export interface Lock {
  /** Adds to what the file says. */
  readonly update: (details: LockDetails) => Promise<void>;
  /** Removes the file, if it is still ours. */
  readonly release: () => Promise<void>;
}

const pathIn = (dataDir: string): string => join(dataDir, 'gateway.lock');

/**
 * Takes the lock of the data folder for this process, and makes the folder (0700) if need be.
 *
 * @throws EmbeddedError `busy` when a live process holds it, `unwritable` when the folder is not ours.
 */
export async function acquireLock(dataDir: string): Promise<Lock> {
  const path = pathIn(dataDir);
  const mark = await birthMark(process.pid);
  const content: LockContent = {
    pid: process.pid,
    ...(mark === undefined ? {} : { birthMark: mark }),
    startedAt: new Date().toISOString(),
  };
  const text = JSON.stringify(content);
  await makeWritable(dataDir);
  try {
    await take(path, text);
  } catch (error) {
    throw systemCode(error) === undefined ? error : unwritable(dataDir, error);
  }
  return held(path, content, text);
}

/** What the holder says; undefined when nobody alive holds the lock. */
export async function readLock(dataDir: string): Promise<LockContent | undefined> {
  const text = await readText(pathIn(dataDir));
  return text === undefined ? undefined : liveHolder(text);
}

function held(path: string, content: LockContent, text: string): Lock {
  let current = { content, text };
  return {
    update: async (details) => {
      const content = { ...current.content, ...details };
      const text = JSON.stringify(content);
      await rename(await written(path, text), path);
      current = { content, text };
    },
    release: async () => {
      if ((await readText(path)) === current.text) await rm(path, { force: true });
    },
  };
}

async function take(path: string, text: string): Promise<void> {
  const mine = await written(path, text);
  try {
    await claim(path, path, mine);
  } finally {
    await rm(mine, { force: true });
  }
}

/** A file of its own beside the lock: what becomes the lock is complete from its first moment. */
async function written(path: string, text: string): Promise<string> {
  const file = `${path}.${randomUUID()}`;
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  return file;
}

/**
 * Makes `path` a link to the file `mine`. Where a dead holder's file is in the way, only he who holds
 * the right to succeed exactly that holder may replace it; that right is a lock of the same kind, so
 * it too survives the death of whoever has it. Replacing and giving up the right are one rename.
 */
async function claim(lock: string, path: string, mine: string): Promise<void> {
  while (!(await linked(mine, path))) {
    const found = await readText(path);
    if (found === undefined) continue; // Released since.
    const holder = await liveHolder(found);
    if (holder !== undefined) throw busy(lock, holder.pid);
    const succession = `${lock}.after-${createHash('sha256').update(found).digest('hex')}`;
    await claim(lock, succession, mine);
    if ((await readText(path)) === found) return rename(succession, path);
    await rm(succession);
  }
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

/** A file that is no lock (cut off by a full disk, say) has no holder. */
async function liveHolder(text: string): Promise<LockContent | undefined> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!lockContent.Check(content)) return undefined;
  return (await isAlive(content.pid, content.birthMark)) ? content : undefined;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function busy(lock: string, pid: number): EmbeddedError {
  return new EmbeddedError(
    'busy',
    `Another gateway (pid ${pid}) uses ${dirname(lock)}. Stop it, or choose another DATA_DIR.`,
  );
}
