// Reads which gateway runs on DATA_DIR, for commands that look for one.

import type { Config } from '../config/load.js';
import { readLock, type LockContent } from '../postgres/embedded/lock.js';
import { UsageError } from './exit.js';
import { explainSystemError } from './explain-system-error.js';

/** @throws UsageError if the folder cannot be read; a missing one has no gateway */
export async function readGatewayLock({
  dataDir,
}: Pick<Config, 'dataDir'>): Promise<LockContent | undefined> {
  return readLock(dataDir).catch((cause: unknown) => {
    const sentence = cause instanceof Error ? explainSystemError(cause) : undefined;
    if (sentence === undefined) throw cause;
    throw new UsageError(`${sentence} DATA_DIR names the folder of the gateway.`, { cause });
  });
}
