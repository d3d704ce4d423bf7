import { existsSync } from 'node:fs';
import { chmod, chown, cp, lstat, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { accountFor } from '../../../src/postgres/embedded/account.js';
import { findBinaries } from '../../../src/postgres/embedded/binaries.js';
import { bundledServer } from '../../../src/postgres/embedded/bundle.js';
import type { Teardown } from '../../helpers/database.js';
import { folder, program, query, start, unlessRoot } from './support.js';

const bundled = await bundledServer();
const unlessBundled = bundled === undefined ? 'npm has no PostgreSQL for this platform' : false;

/** A copy of the npm package as it is before its install script has run, in a folder open to all. */
async function fresh(t: Teardown): Promise<string> {
  const place = await folder(t);
  await chmod(place, 0o755);
  const native = join(place, 'package', 'native');
  await cp(dirname(bundled?.binDir ?? ''), native, { recursive: true, verbatimSymlinks: true });
  for (const link of await linksOf(native)) await rm(link);
  return join(native, 'bin');
}

/** Where the package says that links belong. */
async function linksOf(native: string): Promise<string[]> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  return [...listed.matchAll(/"target":"([^"]+)"/g)].map(([, target = '']) =>
    join(dirname(native), target),
  );
}

/** What a gateway with its data in `dataDir` makes of the folder. */
async function find(binDir: string, dataDir: string): Promise<string> {
  const account = await accountFor(join(dataDir, 'postgres'));
  return (await findBinaries({ binDir, dataDir, account, majorVersion: undefined })).binDir;
}

t.test(
  'the npm package runs though its install script did not',
  { skip: unlessBundled },
  async (t) => {
    const binDir = await fresh(t);
    t.equal(await find(binDir, await folder(t)), binDir, 'mended where it is');
    const links = await linksOf(dirname(binDir));
    t.ok(links.length > 0);
    for (const link of links) {
      const isLink = (await lstat(link)).isSymbolicLink() && existsSync(link);
      t.ok(isLink, link);
    }
  },
);

t.test(
  'root copies the package from where its account cannot go, once',
  { skip: unlessBundled !== false ? unlessBundled : unlessRoot },
  async (t) => {
    const binDir = await fresh(t);
    await chmod(join(binDir, '..', '..', '..'), 0o700);
    await chmod(join(binDir, 'postgres'), 0o700); // As npm leaves it under umask 077.
    const dataDir = await folder(t);
    const copy = await find(binDir, dataDir);
    t.match(copy, /^\/var\/cache\/lablink-gateway\/postgresql-\w+\/native\/bin$/);
    t.teardown(() => rm(join(copy, '..', '..'), { recursive: true }));
    const made = (await stat(copy)).ino;
    const { connection } = await start(t, { dataDir, binDir });
    t.same(await query(connection, "SELECT to_tsvector('english', 'cats') IS NOT NULL AS ok"), [
      { ok: true },
    ]);
    t.equal((await stat(copy)).ino, made, 'the copy is used again');

    await chmod(join(copy, '..', '..'), 0o777);
    const another = join(await find(binDir, dataDir), '..', '..');
    t.teardown(() => rm(another, { recursive: true }));
    t.equal(dirname(another), tmpdir(), 'but not when others could have written to it');
  },
);

t.test(
  'who may not mend the package copies it into the data folder',
  { skip: unlessBundled !== false ? unlessBundled : unlessRoot },
  async (t) => {
    const binDir = await fresh(t);
    const dataDir = await folder(t);
    await chown(dataDir, 12345, 12345);
    t.match(await program(t, 'serve', [dataDir, binDir], 12345).next(), { user: 'lablink' });
    const names = await readdir(dataDir);
    t.match(
      names.find((name) => name.startsWith('postgresql-')),
      /^postgresql-[0-9a-f]{12}$/,
    );
    t.same((await linksOf(dirname(binDir))).filter(existsSync), []);
  },
);
