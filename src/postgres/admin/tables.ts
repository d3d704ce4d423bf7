// Maintenance of tables: VACUUM, REINDEX, and sizes.

import type pg from 'pg';
import { MaintenanceError } from './maintenance-error.js';
import { takeOnlyRow } from './session.js';

export interface TableSize {
  /** The name with its schema. */
  readonly name: string;
  /** The planner's estimate. */
  readonly rows: number;
  readonly bytes: number;
  readonly indexBytes: number;
}

export interface DatabaseSize {
  readonly database: string;
  readonly bytes: number;
  readonly tables: readonly TableSize[];
}

/** Reads the sizes of the database and of its tables, the largest first. */
export async function readSizes(session: pg.Client): Promise<DatabaseSize> {
  const { database, bytes } = takeOnlyRow(
    await session.query<{ database: string; bytes: number }>(
      `SELECT current_database() AS database, pg_database_size(current_database())::float8 AS bytes`,
    ),
  );
  const { rows } = await session.query<TableSize>(
    `SELECT format('%I.%I', nspname, relname) AS name, greatest(reltuples, 0)::float8 AS rows,
       pg_total_relation_size(c.oid)::float8 AS bytes, pg_indexes_size(c.oid)::float8 AS "indexBytes"
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
     WHERE relkind IN ('r', 'm') AND nspname !~ '^(pg_|information_schema$)'
     ORDER BY 3 DESC, 1`,
  );
  return { database, bytes, tables: rows };
}

/** Builds a VACUUM statement for each table of the schema public. */
export async function buildVacuumStatements(session: pg.Client, full: boolean): Promise<string[]> {
  const options = full ? 'FULL, ANALYZE' : 'ANALYZE';
  return (await listTables(session)).map((table) => `VACUUM (${options}) ${table}`);
}

/** Builds a REINDEX statement for each table; CONCURRENTLY blocks neither readers nor writers. */
export async function buildReindexStatements(session: pg.Client): Promise<string[]> {
  return (await listTables(session)).map((table) => `REINDEX TABLE CONCURRENTLY ${table}`);
}

async function listTables(session: pg.Client): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT format('public.%I', relname) AS name FROM pg_catalog.pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/**
 * Runs each statement in a transaction of its own.
 *
 * @param lockWait `short` keeps the session's lock_timeout; `unlimited` is for statements that let
 * other sessions pass while they wait.
 * @throws MaintenanceError `rights` for a table of another owner: VACUUM itself only warns and
 * skips it.
 */
export async function runStatements(
  session: pg.Client,
  statements: readonly string[],
  lockWait: 'short' | 'unlimited',
): Promise<void> {
  if (lockWait === 'unlimited') await session.query('SET lock_timeout TO 0');
  const skipped: string[] = [];
  const onNotice = ({ message }: { readonly message: string | undefined }): void => {
    if ((message ?? '').includes('skipping')) skipped.push(message ?? '');
  };
  session.on('notice', onNotice);
  try {
    for (const statement of statements) await session.query(statement);
  } finally {
    session.off('notice', onNotice);
  }
  if (skipped.length > 0) throw new MaintenanceError('rights', skipped.join('; '));
}
