// The owner's password for TCP: made once, the same at every start, and readable (0600) only for
// the account that runs the gateway.

import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../processes/system-code.js';

export async function keptPassword(dataDir: string): Promise<string> {
  const path = join(dataDir, 'postgres.password');
  try {
    const kept = (await readFile(path, 'utf8')).trim();
    if (kept !== '') return kept;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  const made = randomBytes(24).toString('base64url');
  await writeFile(path, `${made}\n`, { mode: 0o600 });
  return made;
}
