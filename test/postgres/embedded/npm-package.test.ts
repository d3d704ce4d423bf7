import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { listServerAccounts } from '../../../src/postgres/embedded/account.js';
import { findServer } from '../../../src/postgres/embedded/find-server.js';
import { findNpmServer } from '../../../src/postgres/embedded/npm-package.js';
import type { Teardown } from '../../helpers/database.js';
import { folder, program, query, start, unlessRoot } from './support.js';

const npmServer = await findNpmServer();
const unlessInstalled = npmServer === undefined ? 'npm has no PostgreSQL for this platform' : false;
const unlessRootAndInstalled = unlessInstalled === false ? unlessRoot : unlessInstalled;

/** Copies the npm package as it is before its install script runs, into a folder open to all. */
async function copyPackage(t: Teardown): Promise<string> {
  const place = await folder(t);
  await chmod(place, 0o755);
  const native = join(place, 'package', 'native');
  const installed = dirname(npmServer?.binDir ?? '');
  await cp(installed, native, { recursive: true, verbatimSymlinks: true });
  for (const link of await listLinks(native)) await rm(link);
  return join(native, 'bin');
}

/** Lists the paths where the package says that links belong. */
async function listLinks(native: string): Promise<string[]> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  return [...listed.matchAll(/"target":"([^"]+)"/g)].map(([, target = '']) =>
    join(dirname(native), target),
  );
}

/** Finds the server in `binDir` as a gateway with its data in `dataDir` does. */
async function find(binDir: string, dataDir: string): Promise<string> {
  const accounts = await listServerAccounts(join(dataDir, 'postgres'));
  const required = { binDir, dataDir, accounts, majorVersion: undefined };
  return (await findServer(required)).binaries.binDir;
}

/** Runs the `chmod` command that the error message suggests. */
function runSuggestion(error: unknown): void {
  const command = /\((chmod [^)]+)\)/.exec(String(error))?.[1] ?? 'false';
  execFileSync('/bin/sh', ['-c', command]);
}

t.test(
  'the npm package runs although its install script did not',
  { skip: unlessInstalled },
  async (t) => {
    const binDir = await copyPackage(t);
    t.equal(await find(binDir, await folder(t)), binDir, 'the links are made in place');
    const links = await listLinks(dirname(binDir));
    t.ok(links.length > 0);
    for (const link of links) {
      const isLink = (await lstat(link)).isSymbolicLink() && existsSync(link);
      t.ok(isLink, link);
    }
  },
);

t.test(
  'root gets the command that lets another account run the package',
  { skip: unlessRootAndInstalled },
  async (t) => {
    const binDir = await copyPackage(t);
    const closed = join(binDir, '..', '..', '..');
    await chmod(closed, 0o700);
    await chmod(join(binDir, 'postgres'), 0o700); // As npm leaves it under umask 077.
    const dataDir = await folder(t);
    const advice = /refuses to run as root.*\(chmod .*apt install postgresql.*DATABASE_URL\.$/;
    const first = await find(binDir, dataDir).catch((error: unknown) => error);
    t.match(first, { code: 'no_binaries', message: advice });
    t.match(first, { message: `(chmod o+x ${closed})` });
    runSuggestion(first);

    const second = await find(binDir, dataDir).catch((error: unknown) => error);
    t.match(second, { code: 'no_binaries', message: advice });
    t.match(second, { message: `(chmod -R o+rX ${dirname(binDir)})` });
    runSuggestion(second);

    const { connection } = await start(t, { dataDir, binDir });
    t.same(await query(connection, "SELECT to_tsvector('english', 'cats') IS NOT NULL AS ok"), [
      { ok: true },
    ]);
    t.same(await readdir(join(binDir, '..', '..')), ['native'], 'nothing was copied');
  },
);

t.test(
  'a user who may not repair the package gets the advice to reinstall it',
  { skip: unlessRootAndInstalled },
  async (t) => {
    const binDir = await copyPackage(t);
    const dataDir = await folder(t);
    await chown(dataDir, 12345, 12345);
    t.match(await program(t, 'serve', [dataDir, binDir], 12345).next(), {
      code: 'no_binaries',
      message: /loading shared libraries.*npm ci as the owner/,
    });
    t.same(await readdir(dataDir), [], 'nothing was copied');
    t.same((await listLinks(dirname(binDir))).filter(existsSync), []);
  },
);
