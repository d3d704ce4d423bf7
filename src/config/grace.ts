// The variable OFFLINE_GRACE: how long an agent may stay away.

import { parseDurationMs, type DurationFormat } from '../duration.js';

const GRACE: DurationFormat = {
  units: ['s', 'm', 'h'],
  minMs: 10_000, // An agent that is away for less is reconnecting, or its network is.
  maxMs: 7 * 24 * 3_600_000, // Presence is kept for longer.
};

/** Reads seconds, or a number with `s`, `m` or `h`, as milliseconds; undefined if invalid. */
export function parseGrace(text: string): number | undefined {
  return parseDurationMs(/\d$/.test(text) ? `${text}s` : text, GRACE);
}
