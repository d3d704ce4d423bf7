// Finds a PostgreSQL whose programs really run here under the server's account: an installed one
// first (the system keeps it patched), else the one that comes as an npm package.

import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.js';
import { bundledServer, repairBundle, stageBundle } from './bundle.js';
import { EmbeddedError } from './errors.js';
import { systemCode } from '../../processes/system-code.js';
import type { CopyOwner } from './program-folders.js';
import { runToEnd } from './programs.js';

/** One PostgreSQL on this machine: the folder of `postgres` and `initdb`, and what it is. */
export interface Binaries {
  readonly binDir: string;
  readonly majorVersion: number;
}

const NEWEST = 18;
/** Of the versions that the gateway works with. */
export const OLDEST = 13;

/** Folders of installed servers and their tools: Debian and Ubuntu, the PGDG's RPMs, Homebrew on both Macs. */
const installed = (version: number): string[] => [
  `/usr/lib/postgresql/${version}/bin`,
  `/usr/pgsql-${version}/bin`,
  `/opt/homebrew/opt/postgresql@${version}/bin`,
  `/usr/local/opt/postgresql@${version}/bin`,
];

/** Where this machine may have PostgreSQL's programs, of the newest version first. They may not be there. */
export function installedFolders(): string[] {
  const versions = Array.from({ length: NEWEST - OLDEST + 1 }, (_, n) => NEWEST - n);
  return versions.flatMap(installed);
}

/** Every server on this machine, the one to prefer first. None of them has been run yet. */
export async function candidates(): Promise<Binaries[]> {
  const found: Binaries[] = [];
  for (let majorVersion = NEWEST; majorVersion >= OLDEST; majorVersion--) {
    for (const binDir of installed(majorVersion)) {
      if (await isServer(binDir)) found.push({ binDir, majorVersion });
    }
  }
  const bundled = await bundledServer();
  return bundled === undefined ? found : [...found, bundled];
}

async function isServer(binDir: string): Promise<boolean> {
  const programs = ['postgres', 'initdb'].map((name) => access(join(binDir, name), constants.X_OK));
  return Promise.all(programs).then(
    () => true,
    () => false,
  );
}

export interface Wanted extends CopyOwner {
  /** The version of the cluster that is there already. */
  readonly majorVersion: number | undefined;
  /** This folder and no other. */
  readonly binDir: string | undefined;
}

/**
 * The first candidate that fits the cluster and runs.
 *
 * @throws EmbeddedError `no_binaries`, or `version_mismatch` when only other versions are here.
 */
export async function findBinaries(wanted: Wanted): Promise<Binaries> {
  const { majorVersion } = wanted;
  const problems: string[] = [];
  const others: number[] = [];
  for (const binDir of await foldersToTry(wanted)) {
    const server = await usable(binDir, wanted);
    if (typeof server === 'string') problems.push(`${binDir}: ${server}`);
    else if (majorVersion === undefined || majorVersion === server.majorVersion) return server;
    else others.push(server.majorVersion);
  }
  if (majorVersion !== undefined && others.length > 0) throw mismatch(wanted, majorVersion, others);
  throw noBinaries(problems);
}

/** Those of the cluster's version first; the order stays otherwise. */
async function foldersToTry({ binDir, majorVersion }: Wanted): Promise<string[]> {
  if (binDir !== undefined) return [binDir];
  const all = await candidates();
  const fitting = all.filter((candidate) => candidate.majorVersion === majorVersion);
  return [...new Set([...fitting, ...all].map((candidate) => candidate.binDir))];
}

/** Runs the server for its version, mending or copying the npm package when that is what it takes. */
async function usable(binDir: string, wanted: Wanted): Promise<Binaries | string> {
  const asItIs = await probe(binDir, wanted.account);
  if (typeof asItIs !== 'string') return asItIs;
  if (await repairBundle(binDir)) {
    const repaired = await probe(binDir, wanted.account);
    if (typeof repaired !== 'string') return repaired;
  }
  const staged = await stageBundle(binDir, wanted);
  return staged === undefined ? asItIs : probe(staged, wanted.account);
}

/** The server's version, or why it does not run. */
async function probe(binDir: string, account: Account | undefined): Promise<Binaries | string> {
  try {
    const program = join(binDir, 'postgres');
    const { code, output } = await runToEnd({
      program,
      args: () => ['--version'],
      account,
      folder: '/',
    });
    const version = /\(PostgreSQL\) (\d+)/.exec(output)?.[1];
    if (code === 0 && version !== undefined) return { binDir, majorVersion: Number(version) };
    return output.split('\n').at(-1) ?? `it ended with code ${String(code)}`;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return `it cannot be started (${code})`;
  }
}

function mismatch(wanted: Wanted, version: number, others: number[]): EmbeddedError {
  return new EmbeddedError(
    'version_mismatch',
    `The cluster in ${wanted.dataDir} was made by PostgreSQL ${version}, and this machine has only ` +
      `${others.join(', ')}. Install PostgreSQL ${version}, or move the folder away to start ` +
      'with an empty database.',
  );
}

function noBinaries(problems: string[]): EmbeddedError {
  const tried = problems.length === 0 ? '' : ` Tried ${problems.join('; ')}.`;
  return new EmbeddedError(
    'no_binaries',
    `No PostgreSQL server runs on this machine.${tried} Install one (Debian: apt install postgresql; ` +
      'macOS: brew install postgresql@18), or run npm install with its optional dependencies, ' +
      'or name a database with DATABASE_URL.',
  );
}
