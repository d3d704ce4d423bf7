// Finds a PostgreSQL that runs on this machine, and an account that can run it. Programs run where
// they are installed: they are never copied or changed.

import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from './account.js';
import { type Binaries, listServers } from './binaries.js';
import { EmbeddedError } from './errors.js';
import { createMissingLinks } from './npm-package.js';
import { runProgram } from './programs.js';
import { readSystemCode } from '../../processes/system-code.js';

/** A server that runs, and the account that runs it (undefined: the account of this process). */
export interface RunnableServer {
  readonly binaries: Binaries;
  readonly account: Account | undefined;
}

export interface ServerRequirements {
  /** The accounts to try, the preferred one first; see `listServerAccounts`. */
  readonly accounts: readonly (Account | undefined)[];
  /** The version of the cluster that exists; undefined if there is none. */
  readonly majorVersion: number | undefined;
  /** Try only this folder. */
  readonly binDir: string | undefined;
  /** Named in the error message. */
  readonly dataDir: string;
}

/**
 * Finds the first server that fits the cluster and runs under one of the accounts.
 *
 * @throws EmbeddedError `no_binaries`, or `version_mismatch` if only other versions run here.
 */
export async function findServer(required: ServerRequirements): Promise<RunnableServer> {
  const { accounts, majorVersion, dataDir } = required;
  const problems: string[] = [];
  const otherVersions: number[] = [];
  let closed: string | undefined;
  for (const binDir of await listFoldersToTry(required)) {
    await createMissingLinks(binDir);
    const server = await tryAccounts(binDir, accounts);
    if (typeof server === 'string') {
      problems.push(`${binDir}: ${server}`);
      if (await runsForRootAlone(binDir, accounts)) closed ??= binDir;
      continue;
    }
    const version = server.binaries.majorVersion;
    if (majorVersion === undefined || majorVersion === version) return server;
    otherVersions.push(version);
  }
  if (closed !== undefined) throw await createClosedError(closed);
  if (majorVersion !== undefined && otherVersions.length > 0) {
    throw createMismatchError(dataDir, majorVersion, otherVersions);
  }
  throw createMissingError(problems);
}

/** Lists folders with the cluster's version first; otherwise the order of `listServers` stays. */
async function listFoldersToTry({ binDir, majorVersion }: ServerRequirements): Promise<string[]> {
  if (binDir !== undefined) return [binDir];
  const all = await listServers();
  const fitting = all.filter((server) => server.majorVersion === majorVersion);
  return [...new Set([...fitting, ...all].map((server) => server.binDir))];
}

/** Tries one account after the other; returns the reason of the last failure if none works. */
async function tryAccounts(
  binDir: string,
  accounts: readonly (Account | undefined)[],
): Promise<RunnableServer | string> {
  let failure = 'no account can run it';
  for (const account of accounts) {
    const version = await readServerVersion(binDir, account);
    if (typeof version === 'number')
      return { binaries: { binDir, majorVersion: version }, account };
    failure = version;
  }
  return failure;
}

/**
 * Runs `postgres --version`; returns the major version, or the reason why the server does not run.
 */
async function readServerVersion(
  binDir: string,
  account: Account | undefined,
): Promise<number | string> {
  const program = join(binDir, 'postgres');
  const args = (): string[] => ['--version'];
  try {
    const { code, output } = await runProgram({ program, args, account, folder: '/' });
    const version = /\(PostgreSQL\) (\d+)/.exec(output)?.[1];
    if (code === 0 && version !== undefined) return Number(version);
    return output.split('\n').at(-1) ?? `it ended with code ${String(code)}`;
  } catch (error) {
    const code = readSystemCode(error);
    if (code === undefined) throw error;
    return `it cannot be started (${code})`;
  }
}

/**
 * Whether root can run a server that no other account can; `--version` is the one thing root may
 * run.
 */
async function runsForRootAlone(
  binDir: string,
  accounts: readonly (Account | undefined)[],
): Promise<boolean> {
  if (accounts.includes(undefined)) return false;
  return typeof (await readServerVersion(binDir, undefined)) === 'number';
}

async function createClosedError(binDir: string): Promise<EmbeddedError> {
  const closed = await listClosedFolders(binDir);
  const command =
    closed.length > 0 ? `chmod o+x ${closed.join(' ')}` : `chmod -R o+rX ${dirname(binDir)}`;
  return new EmbeddedError(
    'no_binaries',
    `PostgreSQL refuses to run as root, and no other account can run the programs in ${binDir}: ` +
      `open them to other accounts (${command}), install Debian's PostgreSQL (apt install ` +
      'postgresql), or name a database with DATABASE_URL.',
  );
}

/** Lists the folders on the path, the topmost first, that other accounts may not enter. */
async function listClosedFolders(path: string): Promise<string[]> {
  const parent = dirname(path);
  const above = parent === path ? [] : await listClosedFolders(parent);
  const isClosed = ((await stat(path)).mode & 0o001) === 0;
  return isClosed ? [...above, path] : above;
}

function createMismatchError(
  dataDir: string,
  wanted: number,
  found: readonly number[],
): EmbeddedError {
  return new EmbeddedError(
    'version_mismatch',
    `The cluster in ${dataDir} was made by PostgreSQL ${wanted}, and this machine has only ` +
      `${found.join(', ')}. Install PostgreSQL ${wanted}, or move the folder away to start ` +
      'with an empty database.',
  );
}

function createMissingError(problems: readonly string[]): EmbeddedError {
  const tried = problems.length === 0 ? '' : ` Tried ${problems.join('; ')}.`;
  return new EmbeddedError(
    'no_binaries',
    `No PostgreSQL server runs on this machine.${tried} Install one (Debian: apt install postgresql; ` +
      'macOS: brew install postgresql@18), or run npm ci as the owner of this folder (one of its ' +
      'optional dependencies is PostgreSQL), or name a database with DATABASE_URL.',
  );
}
