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
  const applied = await client.query<AppliedMigration>(
    `SELECT number, name, checksum, applied_at AS "appliedAt"
     FROM public.lablink_migrations ORDER BY number`,
  );
  return applied.rows;
}

/** Records a migration, in the transaction that applied it. */
export async function recordMigration(client: pg.Client, migration: Migration): Promise<void> {
  await client.query(
    'INSERT INTO public.lablink_migrations (number, name, checksum) VALUES ($1, $2, $3)',
    [migration.number, migration.name, migration.checksum],
  );
}
