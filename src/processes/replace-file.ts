// Replaces files so that a reader finds the old content or the new one, whole, and so that the new
// one survives a crash of the machine. The draft is always a file of this process's own making.

import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readSystemCode } from './system-code.js';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Flags that create a file, and fail if the name is taken, by a link too. */
export const CREATE_ONLY = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/**
 * Replaces the content of `path` (mode 0600) atomically and durably. The folder must exist.
 * @throws the error of the system call that failed; `path` then keeps its content
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  // A killed process may have left a draft. A file or link of another user keeps its own content.
  await unlink(draft).catch((error: unknown) => {
    if (readSystemCode(error) !== 'ENOENT') throw error;
  });
  const file = await open(draft, CREATE_ONLY, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await renameDurably(draft, path);
}

/** Renames a flushed file within its folder, and flushes the folder, which holds the name. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  const folder = await open(dirname(to), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
