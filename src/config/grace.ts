// Parses the variable OFFLINE_GRACE: how long an agent may be offline.

import { parseDurationMs, type DurationFormat } from '../time/duration.js';

const GRACE: DurationFormat = {
  units: ['s', 'm', 'h'],
  minMs: 10_000, // A shorter absence may be a reconnect.
  maxMs: 7 * 24 * 3_600_000, // Presence is kept for longer.
};

/**
 * Parses seconds, or a number with `s`, `m` or `h`.
 * @returns ms; undefined if the text is not a duration from 10 seconds to 7 days
 */
export function parseGrace(text: string): number | undefined {
  return parseDurationMs(/\d$/.test(text) ? `${text}s` : text, GRACE);
}
