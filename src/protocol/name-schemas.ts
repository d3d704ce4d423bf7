// Moves the schemas that have a title into the components of a document, so that generators of
// clients create one type of that name for all their uses. Pure.

/** The schemas of a document by name. */
export type NamedSchemas = Record<string, unknown>;

/** Examples are data: a `title` in them is not the name of a schema. */
const DATA = new Set(['example', 'examples']);

/**
 * Returns a copy of `node` with a reference in place of each schema with a title.
 * @param schemas receives those schemas
 * @throws Error if different schemas have the same title
 */
export function nameSchemas(node: unknown, schemas: NamedSchemas): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) {
    const items: readonly unknown[] = node;
    return items.map((item) => nameSchemas(item, schemas));
  }
  const entries: readonly [string, unknown][] = Object.entries(node);
  const members = entries.map(([key, value]): [string, unknown] => [
    key,
    DATA.has(key) ? value : nameSchemas(value, schemas),
  ]);
  const copy = Object.fromEntries(members) as { readonly title?: unknown };
  const { title } = copy;
  if (typeof title !== 'string') return copy;
  const known = schemas[title];
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(copy))
    throw new Error(`two schemas have the title ${title}`);
  schemas[title] = copy;
  return { $ref: `#/components/schemas/${title}` };
}
