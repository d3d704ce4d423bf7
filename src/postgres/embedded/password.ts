// The owner's password for TCP: created once, the same at every start, and readable (0600) only for
// the account that runs the gateway.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../processes/replace-file.js';
import { readSystemCode } from '../../processes/system-code.js';

/**
 * Reads the password from `postgres.password` in the data folder, or creates it: 24 random bytes.
 */
export async function readOrCreatePassword(dataDir: string): Promise<string> {
  const path = join(dataDir, 'postgres.password');
  try {
    const kept = (await readFile(path, 'utf8')).trim();
    if (kept !== '') return kept;
  } catch (error) {
    if (readSystemCode(error) !== 'ENOENT') throw error;
  }
  const made = randomBytes(24).toString('base64url');
  await replaceFile(path, `${made}\n`);
  return made;
}
