// Creates folders. Node's own recursive `mkdir` never ends where the system denies that a parent
// exists although it is there, as in /proc.

import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readSystemCode } from './system-code.js';

/**
 * Creates the folder and its missing parents, all with this mode. A folder that exists stays as it
 * is.
 *
 * @throws the error of the system call, such as ENOENT, EACCES, or EEXIST for a file.
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = readSystemCode(error);
    if (code === 'EEXIST' && (await isFolder(path))) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await isFolder(parent))) throw error;
    await makeFolder(parent, mode);
    await makeFolder(path, mode);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
