// Compares rows, or other objects of the gateway, column by column. A column may hold JSON.

export type Columns = ReadonlyMap<string, unknown>;

/** Reads all columns of a row, in their order. */
export const readColumns = (row: object): Columns => new Map<string, unknown>(Object.entries(row));

/** Lists the columns that differ, first those of the later row. */
export function listChangedColumns(before: object, after: object): string[] {
  const earlier = readColumns(before);
  const later = readColumns(after);
  const names = new Set([...later.keys(), ...earlier.keys()]);
  return [...names].filter((name) => !isSameValue(earlier.get(name), later.get(name)));
}

function isSameValue(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other;
  return JSON.stringify(one) === JSON.stringify(other);
}
