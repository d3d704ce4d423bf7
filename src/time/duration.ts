// Durations as people write them: 50ms, 30s, 2m, 12h, 30d. Pure.

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The units and the range that one option or variable accepts. */
export interface DurationFormat {
  readonly units: readonly (keyof typeof MS_PER_UNIT)[];
  readonly minMs: number;
  readonly maxMs: number;
  /** Accepts up to three decimals, as in `1.5s`. Default: whole numbers only. */
  readonly decimals?: boolean;
}

/** The duration in milliseconds; undefined if the text has another form, or is out of range. */
export function parseDurationMs(text: string, format: DurationFormat): number | undefined {
  const [, count, decimals, unit] = /^(0|[1-9]\d{0,9})(\.\d{1,3})?([a-z]+)$/.exec(text) ?? [];
  const known = format.units.find((one) => one === unit);
  if (known === undefined || (decimals !== undefined && format.decimals !== true)) return undefined;
  const ms = Number(`${count ?? ''}${decimals ?? ''}`) * MS_PER_UNIT[known];
  return ms >= format.minMs && ms <= format.maxMs ? ms : undefined;
}
