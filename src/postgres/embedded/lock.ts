// The data folder's lock, `gateway.lock`: one gateway at a time uses the folder, and the file says
// which one and how to reach it, so that other commands can use it meanwhile.

import { dirname, join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import {
  liveHolder,
  LockHolder,
  readLockFile,
  releaseLock,
  rewriteLock,
  takeLock,
  thisProcess,
} from '../../processes/lock-file.js';
import { systemCode } from '../../processes/system-code.js';
import { EmbeddedError } from './errors.js';
import { makeWritable, unwritable } from './data-folder.js';

const LockContent = Type.Object({
  ...LockHolder.properties,
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
  const content = await thisProcess();
  await makeWritable(dataDir);
  const holder = await takeLock(path, JSON.stringify(content)).catch((error: unknown) => {
    throw systemCode(error) === undefined ? error : unwritable(dataDir, error);
  });
  if (holder !== undefined) throw busy(path, holder.pid);
  return held(path, content);
}

/** What the holder says; undefined when nobody alive holds the lock. */
export async function readLock(dataDir: string): Promise<LockContent | undefined> {
  const text = await readLockFile(pathIn(dataDir));
  if (text === undefined || (await liveHolder(text)) === undefined) return undefined;
  const content: unknown = JSON.parse(text);
  return lockContent.Check(content) ? content : undefined;
}

function held(path: string, content: LockContent): Lock {
  let current = content;
  return {
    update: async (details) => {
      const content = { ...current, ...details };
      await rewriteLock(path, JSON.stringify(content));
      current = content;
    },
    release: () => releaseLock(path, JSON.stringify(current)),
  };
}

function busy(lock: string, pid: number): EmbeddedError {
  return new EmbeddedError(
    'busy',
    `Another gateway (pid ${pid}) uses ${dirname(lock)}. Stop it, or choose another DATA_DIR.`,
  );
}
