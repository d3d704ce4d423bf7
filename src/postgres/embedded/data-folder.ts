// The data folder: everything that the embedded server and its gateway keep. What is in it is
// theirs alone.

import { access, constants, mkdir } from 'node:fs/promises';
import { EmbeddedError } from './errors.js';
import { systemCode } from '../../processes/system-code.js';

/**
 * Makes the folder (0700) unless it is there.
 *
 * @throws EmbeddedError `unwritable`.
 */
export async function makeWritable(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw systemCode(error) === undefined ? error : unwritable(dataDir, error);
  }
}

/** What a person is told when the system refuses us something in the folder. */
export function unwritable(dataDir: string, cause: unknown): EmbeddedError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new EmbeddedError(
    'unwritable',
    `The data folder ${dataDir} cannot be used (${said}). Give it to the account that runs the ` +
      'gateway, or choose another with DATA_DIR.',
    { cause },
  );
}
