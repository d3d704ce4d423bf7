// initdb for an account that has no name. PostgreSQL's server does without an entry in the list of
// users; initdb, and the single-user server that it runs, insist on one (get_user_name() calls
// getpwuid()) though `-U` gives the only name that is used. So initdb runs from a passing copy of the
// two programs that calls getpwent() instead: same length, same library, and it returns an entry always.

import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type CopyOwner, inProgramFolder } from './program-folders.js';

const CALLED = Buffer.from('\0getpwuid\0', 'latin1');
const INSTEAD = Buffer.from('\0getpwent\0', 'latin1');

/** Calls `run` with the folder of the copy, and removes the copy. */
export async function withAnyName<T>(
  binDir: string,
  owner: CopyOwner,
  run: (binDir: string) => Promise<T>,
): Promise<T> {
  return inProgramFolder(owner, async (folder) => {
    const root = await mkdtemp(join(folder, 'initdb-'));
    try {
      return await run(await copyInto(root, binDir));
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
}

async function copyInto(root: string, binDir: string): Promise<string> {
  const copy = join(root, 'bin');
  await mkdir(copy);
  for (const folder of [root, copy]) await chmod(folder, 0o755);
  for (const name of ['initdb', 'postgres']) {
    const program = await readFile(join(binDir, name));
    await writeFile(join(copy, name), renamed(program));
    await chmod(join(copy, name), 0o755);
  }
  // The programs look for these beside their own folder first, then where they were built for.
  for (const name of ['lib', 'share']) await symlink(join(dirname(binDir), name), join(root, name));
  return copy;
}

/** Replaces the name in the table of called functions; a program without it stays as it is. */
function renamed(program: Buffer): Buffer {
  const at = program.indexOf(CALLED);
  if (at !== -1) INSTEAD.copy(program, at);
  return program;
}
