// The data folder's lock, `gateway.lock`: one gateway at a time uses the folder. The file says
// which process that is and how to reach its server, so that other commands can connect to it.

import { dirname, join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import {
  findLiveHolder,
  LockHolder,
  readLockFile,
  releaseLock,
  rewriteLock,
  takeLock,
  describeThisProcess,
} from '../../processes/lock-file.js';
import { readSystemCode } from '../../processes/system-code.js';
import { EmbeddedError } from './errors.js';
import { ensureDataFolder, createUnwritableError } from './data-folder.js';

const LockContent = Type.Object({
  ...LockHolder.properties,
  /** Where the gateway listens; absent until it does. */
  url: Type.Optional(Type.String()),
  /** How to reach the embedded server; absent until it answers. */
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
/** The content of `gateway.lock`. */
export type LockContent = Static<typeof LockContent>;
const lockContent = Compile(LockContent);

/** What the gateway adds to the lock once it serves. */
export type LockDetails = Pick<LockContent, 'url' | 'database'>;

export interface Lock {
  /** Adds these details to the file. */
  readonly update: (details: LockDetails) => Promise<void>;
  /** Removes the file, if this process still holds the lock. */
  readonly release: () => Promise<void>;
}

const resolveLockPath = (dataDir: string): string => join(dataDir, 'gateway.lock');

/**
 * Takes the lock of the data folder for this process, and creates the folder (0700) if necessary.
 *
 * @throws EmbeddedError `busy` if a live process holds the lock, `unwritable` if the folder cannot
 * be used.
 */
export async function acquireLock(dataDir: string): Promise<Lock> {
  const path = resolveLockPath(dataDir);
  const content = await describeThisProcess();
  await ensureDataFolder(dataDir);
  const holder = await takeLock(path, JSON.stringify(content)).catch((error: unknown) => {
    throw readSystemCode(error) === undefined ? error : createUnwritableError(dataDir, error);
  });
  if (holder !== undefined) throw createBusyError(path, holder.pid);
  return createLock(path, content);
}

/** Reads what the holder wrote; undefined if no live process holds the lock. */
export async function readLock(dataDir: string): Promise<LockContent | undefined> {
  const text = await readLockFile(resolveLockPath(dataDir));
  if (text === undefined || (await findLiveHolder(text)) === undefined) return undefined;
  const content: unknown = JSON.parse(text);
  return lockContent.Check(content) ? content : undefined;
}

function createLock(path: string, content: LockContent): Lock {
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

function createBusyError(lock: string, pid: number): EmbeddedError {
  return new EmbeddedError(
    'busy',
    `Another gateway (pid ${pid}) uses ${dirname(lock)}. Stop it, or choose another DATA_DIR.`,
  );
}
