// When a client reconnects: a short or a long backoff with jitter, by how its last connection
// ended. Clients that were disconnected together return at different moments.

import { chooseBackoffMs, type Backoff } from '../time/backoff.js';
import type { Return } from '../protocol/close-codes.js';

const SOON: Backoff = { baseMs: 2_000, capMs: 30_000 };
const LATER: Backoff = { baseMs: 15_000, capMs: 120_000 };

/**
 * Returns the pause before the next attempt to connect, in milliseconds.
 * @param failures how many attempts in a row have failed before this one.
 * @param random from 0 up to, not including, 1.
 * @param notBeforeMs the shortest pause, as the gateway's `Retry-After` asks for it.
 */
export function reconnectDelayMs(
  policy: Exclude<Return, 'no'>,
  failures: number,
  random: number,
  notBeforeMs = 0,
): number {
  const backoff = policy === 'later' ? LATER : SOON;
  return Math.min(notBeforeMs, backoff.capMs) + chooseBackoffMs(backoff, failures, random);
}
