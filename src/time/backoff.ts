// Exponential backoff with full jitter: how long to pause before the next attempt, so that many
// clients that failed together do not return together. Pure.

export interface Backoff {
  /** The longest pause after the first failure. */
  readonly baseMs: number;
  /** The longest pause after any number of failures. */
  readonly capMs: number;
}

/**
 * A pause between 0 and a bound that doubles with each failure, up to the cap. Full jitter spreads
 * clients best (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * @param failures how many attempts in a row failed before the last one; 0 after the first failure
 * @param random from 0 up to 1
 */
export function chooseBackoffMs(
  { baseMs, capMs }: Backoff,
  failures: number,
  random: number,
): number {
  return random * Math.min(capMs, baseMs * 2 ** failures);
}
