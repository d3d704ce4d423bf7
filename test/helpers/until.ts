// Waiting for a condition that no event announces, such as what another program shows.

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
/** Far beyond what anything here takes, and within the time a test file has. */
const PATIENCE_MS = 60_000;

/**
 * Resolves with the first value that is neither undefined nor false; throws, naming what was
 * awaited, if none comes.
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined | false> | T | undefined | false,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const giveUpAtMs = performance.now() + patienceMs;
  for (;;) {
    const value = await attempt();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > giveUpAtMs) throw new Error(`waited in vain until ${what}`);
    await sleep(POLL_MS);
  }
}
