// Durations as people write them: 50ms, 30s, 2m.

const MS_PER_UNIT = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
]);

/** The duration in milliseconds; undefined when it is not one. */
export function parseDurationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m)$/.exec(text) ?? [];
  const ms = Number(count) * (MS_PER_UNIT.get(unit) ?? NaN);
  return Number.isNaN(ms) ? undefined : ms;
}
