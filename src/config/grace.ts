// How long an agent may stay away, as a person writes it.

const UNIT_MS: Readonly<Record<string, number>> = { '': 1_000, s: 1_000, m: 60_000, h: 3_600_000 };

/** Less than that is a reconnect, of an agent or of the network. */
const MIN_MS = 10_000;
/** Presence is kept for longer than that. */
const MAX_MS = 7 * 24 * 3_600_000;

/** Reads seconds, or a number with `s`, `m` or `h`, as milliseconds; undefined when it is none, or out of range. */
export function parseGrace(text: string): number | undefined {
  const [, digits, unit = ''] = /^(0|[1-9]\d{0,8})([smh]?)$/.exec(text) ?? [];
  const ms = Number(digits) * (UNIT_MS[unit] ?? NaN);
  return ms >= MIN_MS && ms <= MAX_MS ? ms : undefined;
}
