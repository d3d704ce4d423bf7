// What two rows, or two other objects of the gateway's, differ in: column by column, however deep, as one may be JSON.

export type Columns = ReadonlyMap<string, unknown>;

export const readColumns = (row: object): Columns => new Map<string, unknown>(Object.entries(row));

/** The names of the columns that differ, those of the later one first. */
export function changedColumns(before: object, after: object): string[] {
  const [earlier, later] = [readColumns(before), readColumns(after)];
  const names = new Set([...later.keys(), ...earlier.keys()]);
  return [...names].filter((name) => !isSameValue(earlier.get(name), later.get(name)));
}

function isSameValue(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other;
  return JSON.stringify(one) === JSON.stringify(other);
}
