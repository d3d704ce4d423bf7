// Where PostgreSQL's programs are on this machine: installed servers first, because the system's
// updates reach them, then the npm package.

import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { findNpmServer } from './npm-package.js';

/** A PostgreSQL server on this machine: the folder of `postgres` and `initdb`, and its version. */
export interface Binaries {
  readonly binDir: string;
  readonly majorVersion: number;
}

const NEWEST_MAJOR_VERSION = 18;
/** The oldest major version that the gateway works with. */
export const OLDEST_MAJOR_VERSION = 13;

/**
 * Where packages put a version's programs: Debian and Ubuntu, the PGDG's RPMs, Homebrew (both
 * Macs).
 */
const listFoldersForVersion = (version: number): string[] => [
  `/usr/lib/postgresql/${version}/bin`,
  `/usr/pgsql-${version}/bin`,
  `/opt/homebrew/opt/postgresql@${version}/bin`,
  `/usr/local/opt/postgresql@${version}/bin`,
];

/** Lists the folders where PostgreSQL's programs may be installed, the newest version first. */
export function listInstalledFolders(): string[] {
  return listVersions().flatMap(listFoldersForVersion);
}

const listVersions = (): number[] =>
  Array.from(
    { length: NEWEST_MAJOR_VERSION - OLDEST_MAJOR_VERSION + 1 },
    (_, n) => NEWEST_MAJOR_VERSION - n,
  );

/** Lists the servers on this machine, the preferred one first. Whether they run is not checked. */
export async function listServers(): Promise<Binaries[]> {
  const found: Binaries[] = [];
  for (const majorVersion of listVersions()) {
    for (const binDir of listFoldersForVersion(majorVersion)) {
      if (await isServerFolder(binDir)) found.push({ binDir, majorVersion });
    }
  }
  const npmServer = await findNpmServer();
  return npmServer === undefined ? found : [...found, npmServer];
}

async function isServerFolder(binDir: string): Promise<boolean> {
  const programs = ['postgres', 'initdb'].map((name) => access(join(binDir, name), constants.X_OK));
  return Promise.all(programs).then(
    () => true,
    () => false,
  );
}
