// The data folder: everything that the embedded server and its gateway keep. Only the account that
// runs the gateway can enter it.

import { access, constants } from 'node:fs/promises';
import { EmbeddedError } from './errors.js';
import { readSystemCode } from '../../processes/system-code.js';
import { makeFolder } from '../../processes/make-folder.js';

/**
 * Creates the folder (0700) unless it exists, and checks that this process can write to it.
 *
 * @throws EmbeddedError `unwritable`.
 */
export async function ensureDataFolder(dataDir: string): Promise<void> {
  try {
    await makeFolder(dataDir, 0o700);
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw readSystemCode(error) === undefined ? error : createUnwritableError(dataDir, error);
  }
}

/** The error for a folder in which the system refuses something to this process. */
export function createUnwritableError(dataDir: string, cause: unknown): EmbeddedError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EmbeddedError(
    'unwritable',
    `The data folder ${dataDir} cannot be used (${reason}). Give it to the account that runs the ` +
      'gateway, or choose another with DATA_DIR.',
    { cause },
  );
}
