// How long to stay away after a connection ended. Everyone who was cut off at one moment comes back at another.

import type { Return } from '../protocol/close-codes.js';

interface Spread {
  /** The longest first pause. */
  readonly baseMs: number;
  /** The longest pause of all. */
  readonly capMs: number;
}

const SOON: Spread = { baseMs: 2_000, capMs: 30_000 };
const LATER: Spread = { baseMs: 15_000, capMs: 120_000 };

/**
 * "Full jitter": anything between nothing and a bound that doubles with each failure. It spreads a crowd best
 * (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * @param failures how many attempts in a row have failed before this one.
 * @param random from 0 up to 1.
 */
export function pauseMs(
  how: Exclude<Return, 'no'>,
  failures: number,
  random: number,
  notBeforeMs = 0,
): number {
  const { baseMs, capMs } = how === 'later' ? LATER : SOON;
  const jitterMs = random * Math.min(capMs, baseMs * 2 ** failures);
  return Math.min(notBeforeMs, capMs) + jitterMs;
}
