// A database in numbers, so that a copy can be held against it: the rows of every table, the triggers, the sequences.

import type pg from 'pg';

export interface DatabaseChecksum {
  /** Rows, and the sum of the hashes of their texts, by table. */
  readonly tables: ReadonlyMap<string, TableChecksum>;
  /** Each as its definition and whether it is enabled. */
  readonly triggers: readonly string[];
  /** The last value of each; 0 where none was taken. Outside of transactions, unlike the rest. */
  readonly sequences: ReadonlyMap<string, bigint>;
}

export interface TableChecksum {
  readonly rows: number;
  readonly sum: string;
}

/** Tables whose rows pg_dump writes: not the system's, and not those of extensions. */
const TABLES = `
  SELECT format('%I.%I', nspname, relname) AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema$)'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1`;

const TRIGGERS = `
  SELECT concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled) AS line
  FROM pg_catalog.pg_trigger t WHERE NOT tgisinternal ORDER BY 1`;

const SEQUENCES = `
  SELECT format('%I.%I', schemaname, sequencename) AS name, coalesce(last_value, 0)::text AS value
  FROM pg_catalog.pg_sequences ORDER BY 1`;

/** As the transaction sees it, if the session is in one. */
export async function computeChecksum(session: pg.Client): Promise<DatabaseChecksum> {
  const tables = new Map<string, TableChecksum>();
  for (const { name } of (await session.query<{ name: string }>(TABLES)).rows) {
    // The order of rows means nothing, so hashes are added; a row's text has no equality to fail.
    const { rows } = await session.query<{ count: string; sum: string }>(
      `SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS sum FROM ${name} t`,
    );
    for (const { count, sum } of rows) tables.set(name, { rows: Number(count), sum });
  }
  const triggers = await session.query<{ line: string }>(TRIGGERS);
  return {
    tables,
    triggers: triggers.rows.map(({ line }) => line),
    sequences: await readSequences(session),
  };
}

export async function readSequences(session: pg.Client): Promise<Map<string, bigint>> {
  const { rows } = await session.query<{ name: string; value: string }>(SEQUENCES);
  return new Map(rows.map(({ name, value }) => [name, BigInt(value)]));
}

/**
 * In what the copy differs, in words; nothing when it does not. Sequences went on while it was made: those of a right
 * copy lie between what they were before and after.
 */
export function compareChecksums(
  original: DatabaseChecksum,
  copy: DatabaseChecksum,
  sequencesAfter: ReadonlyMap<string, bigint>,
): string[] {
  const found: string[] = [];
  for (const [name, { rows, sum }] of original.tables) {
    const copied = copy.tables.get(name);
    if (copied === undefined) found.push(`the table ${name} is missing`);
    else if (copied.rows !== rows) found.push(`${name} has ${copied.rows} rows, not ${rows}`);
    else if (copied.sum !== sum) found.push(`rows of ${name} differ`);
  }
  for (const line of original.triggers) {
    if (!copy.triggers.includes(line)) found.push(`missing or changed: ${line}`);
  }
  for (const [name, before] of original.sequences) {
    const value = copy.sequences.get(name);
    const after = sequencesAfter.get(name) ?? before;
    if (value === undefined) found.push(`the sequence ${name} is missing`);
    else if (value < before || value > after) found.push(`the sequence ${name} is at ${value}`);
  }
  return found;
}
