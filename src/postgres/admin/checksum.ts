// A database's checksum, to compare a copy with its original: rows, triggers and sequences.

import type pg from 'pg';

/** What two copies of a database must have in common. */
export interface DatabaseChecksum {
  /** By table, with its schema. */
  readonly tables: ReadonlyMap<string, TableChecksum>;
  /** For each trigger its definition and `tgenabled`. */
  readonly triggers: readonly string[];
  /** The last value of each sequence, or 0. Sequences ignore transactions, so they may be later. */
  readonly sequences: ReadonlyMap<string, bigint>;
}

export interface TableChecksum {
  readonly rows: number;
  /** The sum of the hashes of the rows' texts. */
  readonly sum: string;
}

/** Tables whose rows pg_dump writes: neither the system's nor those of extensions. */
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

/**
 * The texts of rows and of triggers depend on these settings, which the original's database or role
 * may set and the copy's may not. Row security raises an error instead of hiding rows.
 */
const SETTINGS = `
  SET search_path TO pg_catalog; SET DateStyle TO 'ISO, YMD'; SET IntervalStyle TO 'postgres';
  SET TimeZone TO 'UTC'; SET extra_float_digits TO 1; SET bytea_output TO 'hex';
  SET lc_monetary TO 'C'; SET xmloption TO 'content'; SET row_security TO off;
  SET quote_all_identifiers TO off`;

/**
 * Computes the checksum of everything that the session's transaction sees. The session's settings
 * change.
 */
export async function computeChecksum(session: pg.Client): Promise<DatabaseChecksum> {
  await session.query(SETTINGS);
  const tables = new Map<string, TableChecksum>();
  for (const { name } of (await session.query<{ name: string }>(TABLES)).rows) {
    // Hashes are added, because rows have no order. Texts are hashed, because some types have no
    // `=`.
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

/** Reads the last value of each sequence, or 0 if it was never used. */
export async function readSequences(session: pg.Client): Promise<Map<string, bigint>> {
  const { rows } = await session.query<{ name: string; value: string }>(SEQUENCES);
  return new Map(rows.map(({ name, value }) => [name, BigInt(value)]));
}

/**
 * Describes each difference in words; empty if there is none. Sequences advance while a copy is
 * made: a correct copy has values between those before and after.
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
