// The cluster: the folder `postgres` inside the data folder, and what is in it before its first
// start. It is created under another name and renamed, so an incomplete one is never used.

import { chown, lchown, lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';
import { SUPERUSER } from './database.js';
import { EmbeddedError } from './errors.js';
import { type ProgramResult, runProgram } from './programs.js';
import { readSystemCode } from '../../processes/system-code.js';

/**
 * Reads the major version that created the cluster in `folder`; undefined if there is no cluster.
 */
export async function readClusterVersion(folder: string): Promise<number | undefined> {
  try {
    const version = Number.parseInt(await readFile(join(folder, 'PG_VERSION'), 'utf8'), 10);
    return Number.isNaN(version) ? undefined : version;
  } catch (error) {
    if (readSystemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export interface ClusterOptions {
  readonly folder: string;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  /** False skips the fsync of every file, for clusters that need not survive a crash. */
  readonly durable: boolean;
}

/**
 * Creates a cluster: UTF-8, data checksums, and the locale C, which sorts and compares alike on
 * every system and never changes under an index.
 *
 * @throws EmbeddedError `init_failed` with the output of initdb.
 */
export async function createCluster(options: ClusterOptions): Promise<void> {
  const { folder, account } = options;
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  if (account !== undefined) await chown(unfinished, account.uid, account.gid);
  const { code, output } = await runInitdb({ ...options, folder: unfinished });
  if (code !== 0) throw createInitError(folder, explainOutput(output));
  await rename(unfinished, folder).catch((error: unknown) => {
    throw createInitError(folder, 'the folder exists and holds no cluster. Move it away.', error);
  });
}

function runInitdb(options: ClusterOptions): Promise<ProgramResult> {
  const identity = ['-U', SUPERUSER, '-E', 'UTF8', '--locale=C', '--data-checksums'];
  const authentication = ['--auth-local=trust', '--auth-host=scram-sha-256'];
  const sync = options.durable ? [] : ['--no-sync'];
  return runProgram({
    program: join(options.binaries.binDir, 'initdb'),
    args: (folder) => ['-D', folder, ...identity, ...authentication, ...sync],
    account: options.account,
    folder: options.folder,
  });
}

/** Returns what initdb printed, or what to do if the user has no entry in the list of users. */
function explainOutput(output: string): string {
  const uid = /could not look up effective user ID (\d+)/.exec(output)?.[1];
  if (uid === undefined) return output;
  return (
    `initdb needs a user that has a name, and the user id ${uid} has none: add one ` +
    `(useradd --uid ${uid} lablink), start the gateway as another user, or name a database with ` +
    'DATABASE_URL.'
  );
}

function createInitError(folder: string, reason: string, cause?: unknown): EmbeddedError {
  const message = `No cluster could be made in ${folder}: ${reason}`;
  return new EmbeddedError('init_failed', message, cause === undefined ? undefined : { cause });
}

/**
 * Gives a cluster that root owns, such as a copied one, to the server's account: PostgreSQL starts
 * only for the owner of the files. Every other owner keeps the cluster.
 */
export async function assignCluster(folder: string, account: Account | undefined): Promise<void> {
  if (account === undefined || (await lstat(folder)).uid === account.uid) return;
  for (const entry of await readdir(folder, { recursive: true })) {
    await lchown(join(folder, entry), account.uid, account.gid);
  }
  await lchown(folder, account.uid, account.gid);
}
