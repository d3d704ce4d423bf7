// The pauses of the simulated agents and people.

import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after `delayMs`, or at once when the demo stops; callers check the signal then. */
export async function pauseUnlessStopped(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => undefined);
}
