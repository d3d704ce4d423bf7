// The database's record of its migrations, the table lablink_migrations.

import type pg from 'pg';
import type { Migration } from './migration-files.js';
import type { AppliedMigration } from './pending.js';
import { SchemaError } from './schema-error.js';

const CREATE_RECORD = `
  CREATE TABLE IF NOT EXISTS public.lablink_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`;

/** Gives the table to the owner of vms, who owns all other objects too; see schema/README.md. */
const ASSIGN_OWNER = `
  DO $$
  DECLARE
    owner regrole := (
      SELECT relowner FROM pg_catalog.pg_class WHERE oid = to_regclass('public.vms')
    );
  BEGIN
    IF owner IS NOT NULL THEN
      EXECUTE format('ALTER TABLE public.lablink_migrations OWNER TO %s', owner);
    END IF;
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END $$`;

/**
 * Creates the table if it is missing. The caller holds the migration lock: concurrent creation
 * fails.
 */
export async function createRecord(client: pg.Client): Promise<void> {
  await client.query(CREATE_RECORD);
  await client.query(ASSIGN_OWNER);
}

/**
 * Whether the table exists and can be trusted: a view, or a table of an unrelated role, could run
 * that role's functions with the rights of the reader.
 */
const FIND_RECORD = `
  SELECT relowner::regrole::text AS owner,
    relkind = 'r' AND (
      pg_has_role(relowner, coalesce(
        (SELECT relowner FROM pg_catalog.pg_class WHERE oid = to_regclass('public.vms')),
        (SELECT datdba FROM pg_catalog.pg_database WHERE datname = current_database())), 'MEMBER')
      OR relowner = current_user::regrole
      OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = relowner AND rolsuper)) AS trusted
  FROM pg_catalog.pg_class WHERE oid = to_regclass('public.lablink_migrations')`;

/**
 * Reads the applied migrations in order; empty if there is no record.
 *
 * @throws SchemaError `schema_failed` if an unrelated role created the table.
 */
export async function readRecord(client: pg.Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<{ owner: string; trusted: boolean }>(FIND_RECORD);
  const [record] = rows;
  if (record === undefined) return [];
  if (!record.trusted) {
    throw new SchemaError(
      'schema_failed',
      `public.lablink_migrations belongs to ${record.owner}, which does not own vms, or is not a table; drop it, then migrate again`,
    );
  }
  // As a number, because a time's text depends on the DateStyle of the role or the database.
  const applied = await client.query<AppliedRow>(
    `SELECT number, name, checksum,
       (extract(epoch FROM applied_at) * 1000)::float8 AS "appliedAtMs"
     FROM public.lablink_migrations ORDER BY number`,
  );
  return applied.rows.map(({ appliedAtMs, ...row }) => ({
    ...row,
    appliedAt: new Date(appliedAtMs),
  }));
}

type AppliedRow = Omit<AppliedMigration, 'appliedAt'> & { readonly appliedAtMs: number };

/** Records a migration, in the transaction that applied it. */
export async function recordMigration(client: pg.Client, migration: Migration): Promise<void> {
  await client.query(
    'INSERT INTO public.lablink_migrations (number, name, checksum) VALUES ($1, $2, $3)',
    [migration.number, migration.name, migration.checksum],
  );
}

/** The comment on the record, if the schema works with programs that lack its last migrations. */
const BEARING = /^A program that knows migration (\d+) works with this schema\.$/;

/**
 * Reads the number of the oldest migration whose program works with this schema; undefined if a
 * program must know them all.
 */
export async function readBearing(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT obj_description(to_regclass('public.lablink_migrations'), 'pg_class') AS comment`,
  );
  const [, number] = BEARING.exec(rows[0]?.comment ?? '') ?? [];
  return number === undefined ? undefined : Number(number);
}

/**
 * Writes what the migration bears, after its record. A migration that says nothing needs a program
 * that knows it. A migration that only adds bears what the schema before it bore.
 */
export async function recordBearing(client: pg.Client, migration: Migration): Promise<void> {
  const before = await readBearing(client);
  const { bears, number } = migration;
  if (bears === undefined && before === undefined) return;
  const oldest = bears === undefined ? undefined : Math.max(bears, before ?? number - 1);
  const comment =
    oldest === undefined
      ? 'NULL'
      : `'A program that knows migration ${oldest} works with this schema.'`;
  await client.query(`COMMENT ON TABLE public.lablink_migrations IS ${comment}`);
}
