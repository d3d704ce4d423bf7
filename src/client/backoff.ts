// How long a client waits before it connects again. Clients that were cut off at one moment come
// back at different moments.

import { chooseBackoffMs, type Backoff } from '../backoff.js';
import type { Return } from '../protocol/close-codes.js';

const SOON: Backoff = { baseMs: 2_000, capMs: 30_000 };
const LATER: Backoff = { baseMs: 15_000, capMs: 120_000 };

/**
 * How long to wait before the next connection. Two backoffs differ by how the last connection ended.
 * @param failures how many attempts in a row have failed before this one.
 * @param random from 0 up to 1.
 */
export function pauseMs(
  how: Exclude<Return, 'no'>,
  failures: number,
  random: number,
  notBeforeMs = 0,
): number {
  const backoff = how === 'later' ? LATER : SOON;
  return Math.min(notBeforeMs, backoff.capMs) + chooseBackoffMs(backoff, failures, random);
}
