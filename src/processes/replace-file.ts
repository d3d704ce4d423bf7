// Replaces files so that a reader finds the old content or the new one, whole, and so that the new
// one survives a crash of the machine.

import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces the content of `path` (mode 0600) atomically and durably. The folder must exist.
 * @throws the error of the system call that failed; `path` then keeps its content
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
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
