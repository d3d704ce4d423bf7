// Where copies of programs are put, so that the account that is to run them can walk there.

import { chmod, mkdir } from 'node:fs/promises';
import type { Account } from './account.js';
import { systemCode } from '../../processes/system-code.js';

/** Root's copies: nobody's home, no temporary folder that is cleared, and seldom mounted noexec. */
const SYSTEM_CACHE = '/var/cache/lablink-gateway';

export interface CopyOwner {
  readonly account: Account | undefined;
  readonly dataDir: string;
}

/**
 * Does the work in the first folder that allows it: of root's two, or in the data folder.
 *
 * @throws the system's error in the last of them.
 */
export async function inProgramFolder<T>(
  { account, dataDir }: CopyOwner,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (account === undefined) return work(dataDir);
  try {
    // The umask may have hidden what was made just now from the account.
    if ((await mkdir(SYSTEM_CACHE, { recursive: true })) !== undefined) {
      await chmod(SYSTEM_CACHE, 0o755);
    }
    return await work(SYSTEM_CACHE);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return work('/tmp');
  }
}
