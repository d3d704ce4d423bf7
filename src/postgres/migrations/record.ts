// The database's record of its migrations, the table lablink_migrations.

import type pg from 'pg';
import type { Migration } from './migration-files.js';
import type { AppliedMigration } from './pending.js';

const CREATE_RECORD = `
  CREATE TABLE IF NOT EXISTS public.lablink_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`;

/** Like all the rest it belongs to the owner of vms, whoever migrates; see schema/README.md. */
const GIVE_AWAY = `
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

/** Makes the table. Two who make it at the same moment collide: hold the migration lock. */
export async function createRecord(client: pg.Client): Promise<void> {
  await client.query(CREATE_RECORD);
  await client.query(GIVE_AWAY);
}

/** What was applied, in order; nothing where the table is not there yet. */
export async function readRecord(client: pg.Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<{ there: boolean }>(
    "SELECT to_regclass('public.lablink_migrations') IS NOT NULL AS there",
  );
  if (rows[0]?.there !== true) return [];
  const applied = await client.query<AppliedMigration>(
    `SELECT number, name, checksum, applied_at AS "appliedAt"
     FROM public.lablink_migrations ORDER BY number`,
  );
  return applied.rows;
}

/** Notes a migration, in the transaction that applied it. */
export async function recordMigration(client: pg.Client, migration: Migration): Promise<void> {
  await client.query(
    'INSERT INTO public.lablink_migrations (number, name, checksum) VALUES ($1, $2, $3)',
    [migration.number, migration.name, migration.checksum],
  );
}
