// The names of scratch databases: each says which database it is a copy of, and when it was made,
// so that copies whose command was killed can be recognized. Pure.

const NAME = /^lablink_scratch_(\d+)_(\d+)_[0-9a-f]{12}$/;

/** A pattern of SQL's LIKE for all scratch databases, also those of earlier versions. */
export const SCRATCH_PATTERN = 'lablink\\_scratch\\_%';

/** Formats a name. @param suffix 12 hexadecimal digits, which no other copy has */
export function formatScratchName(sourceOid: number, now: Date, suffix: string): string {
  return `lablink_scratch_${sourceOid}_${Math.trunc(now.getTime() / 1_000)}_${suffix}`;
}

/** Reads a name; undefined for one that this version did not make. */
export function parseScratchName(name: string): { sourceOid: number; madeAt: Date } | undefined {
  const [, sourceOid, seconds] = NAME.exec(name) ?? [];
  if (sourceOid === undefined) return undefined;
  return { sourceOid: Number(sourceOid), madeAt: new Date(Number(seconds) * 1_000) };
}
