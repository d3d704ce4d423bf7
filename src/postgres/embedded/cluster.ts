// The cluster: the folder `postgres` inside the data folder, and what is in it before anybody uses
// it. It is made beside its place and renamed, so a half-made one is never taken for a cluster.

import { chown, lchown, lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';
import { SUPERUSER } from './database.js';
import { EmbeddedError } from './errors.js';
import { systemCode } from '../../processes/system-code.js';
import { type Outcome, runToEnd } from './programs.js';
import { withAnyName } from './nameless.js';

/** The major version that made the cluster in `folder`; undefined when there is none. */
export async function clusterVersion(folder: string): Promise<number | undefined> {
  try {
    const version = Number.parseInt(await readFile(join(folder, 'PG_VERSION'), 'utf8'), 10);
    return Number.isNaN(version) ? undefined : version;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export interface ClusterOptions {
  readonly folder: string;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  /** False leaves out the fsync of every file: for clusters that nobody will miss. */
  readonly durable: boolean;
}

/**
 * Makes a cluster: UTF-8, data checksums, and the locale C, which sorts and compares alike on every
 * system and never changes under an index.
 *
 * @throws EmbeddedError `init_failed` with what initdb said.
 */
export async function createCluster(options: ClusterOptions): Promise<void> {
  const { folder, account } = options;
  const making = `${folder}.new`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { mode: 0o700 });
  if (account !== undefined) await chown(making, account.uid, account.gid);
  const outcome = await initdb({ ...options, folder: making });
  if (outcome.code !== 0) throw initFailed(folder, outcome.output);
  await rename(making, folder).catch((error: unknown) => {
    throw initFailed(folder, 'the folder is there and holds no cluster. Move it away.', error);
  });
}

async function initdb(options: ClusterOptions): Promise<Outcome> {
  const run = async (binDir: string): Promise<Outcome> =>
    runToEnd({
      program: join(binDir, 'initdb'),
      args: (folder) => [
        ...['-D', folder, '-U', SUPERUSER, '-E', 'UTF8', '--locale=C', '--data-checksums'],
        ...['--auth-local=trust', '--auth-host=scram-sha-256'],
        ...(options.durable ? [] : ['--no-sync']),
      ],
      account: options.account,
      folder: options.folder,
    });
  const outcome = await run(options.binaries.binDir);
  if (!outcome.output.includes('could not look up effective user ID')) return outcome;
  const owner = { account: options.account, dataDir: dirname(options.folder) };
  return withAnyName(options.binaries.binDir, owner, run);
}

function initFailed(folder: string, reason: string, cause?: unknown): EmbeddedError {
  const message = `No cluster could be made in ${folder}: ${reason}`;
  return new EmbeddedError('init_failed', message, cause === undefined ? undefined : { cause });
}

/**
 * Gives the server's account a cluster that came into root's hands, as a copied one does: PostgreSQL
 * starts only for the owner of the files. A cluster of any other owner stays his.
 */
export async function takeOver(folder: string, account: Account | undefined): Promise<void> {
  if (account === undefined || (await lstat(folder)).uid === account.uid) return;
  for (const entry of await readdir(folder, { recursive: true })) {
    await lchown(join(folder, entry), account.uid, account.gid);
  }
  await lchown(folder, account.uid, account.gid);
}
