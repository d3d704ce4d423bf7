// Formats times for people. They refer to the gateway's clock: its difference to this machine's is
// computed from the `Date` header of a response.

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * A smaller difference counts as none: `Date` has whole seconds, and the response took a moment.
 */
const TOLERANCE_MS = 2_000;

/** Parses a time, in UTC if it has no zone, to ms since the epoch; undefined if it is no time. */
export function parseTime(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const timeMs = Date.parse(/(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(text) ? text : `${text}Z`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** Computes how far the gateway's clock is ahead of this machine's, in ms; 0 if it is unknown. */
export function computeClockSkewMs(dateHeader: string | null, nowMs: number): number {
  const skewMs = Date.parse(dateHeader ?? '') - nowMs;
  return Math.abs(skewMs) > TOLERANCE_MS ? skewMs : 0;
}

/**
 * Formats an age in one unit: `now`, `12 s`, `5 min`, `3 h`, `2 d`. The future is `now`: clocks
 * differ.
 */
export function formatAge(timeMs: number, nowMs: number): string {
  const ms = nowMs - timeMs;
  if (ms < SECOND_MS) return 'now';
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

/** Formats a duration: `8 ms`, `1.4 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  return formatAge(0, ms);
}

/** Formats the time left in two units: `11 h 40 min`, `4 min 05 s`. */
export function formatRemaining(ms: number): string {
  if (ms <= 0) return '0 s';
  if (ms < MINUTE_MS) return `${Math.ceil(ms / SECOND_MS)} s`;
  const pad = (count: number): string => String(Math.floor(count)).padStart(2, '0');
  if (ms < HOUR_MS)
    return `${Math.floor(ms / MINUTE_MS)} min ${pad((ms % MINUTE_MS) / SECOND_MS)} s`;
  if (ms < 2 * DAY_MS)
    return `${Math.floor(ms / HOUR_MS)} h ${pad((ms % HOUR_MS) / MINUTE_MS)} min`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const TIME_OF_DAY = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** Formats a date and time in this machine's zone, to the second. */
export const formatDateTime = (timeMs: number): string => DATE_TIME.format(timeMs);

/** Formats the time of day. */
export const formatTimeOfDay = (timeMs: number): string => TIME_OF_DAY.format(timeMs);
