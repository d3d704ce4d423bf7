// Maintenance of tables: VACUUM, REINDEX, and sizes.

import pg from 'pg';
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

/**
 * An interrupted REINDEX CONCURRENTLY leaves an invalid index beside the one that it rebuilt
 * (PostgreSQL, "REINDEX"), which every change of the table still has to maintain.
 */
const LEFT_INDEXES = `
  SELECT format('%I.%I', nspname, i.relname) AS name
  FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace
  WHERE nspname = 'public' AND NOT indisvalid AND i.relname ~ '_cc(new|old)[0-9]*$'
    AND pg_has_role(i.relowner, 'USAGE')
  ORDER BY 1`;

/**
 * Builds a REINDEX statement for each table; CONCURRENTLY blocks neither readers nor writers.
 * Indexes that an interrupted run left are dropped first.
 */
export async function buildReindexStatements(session: pg.Client): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(LEFT_INDEXES);
  return [
    ...rows.map(({ name }) => `DROP INDEX CONCURRENTLY IF EXISTS ${name}`),
    ...(await listTables(session)).map((table) => `REINDEX TABLE CONCURRENTLY ${table}`),
  ];
}

async function listTables(session: pg.Client): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT format('public.%I', relname) AS name FROM pg_catalog.pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

/** insufficient_privilege, and lock_not_available. */
const SKIPPED = ['42501', '55P03'];

/**
 * Runs each statement in a transaction of its own, and calls `onDone` after each. A table of
 * another owner, or one that stays locked, does not keep the others from their turn.
 *
 * @param lockWait `short` keeps the session's lock_timeout; `unlimited` is for statements that let
 * other sessions pass while they wait.
 * @throws MaintenanceError `rights` at the end, with the tables that were left out: VACUUM itself
 * only warns and skips them.
 */
export async function runStatements(
  session: pg.Client,
  statements: readonly string[],
  lockWait: 'short' | 'unlimited',
  onDone: (statement: string) => void,
): Promise<void> {
  if (lockWait === 'unlimited') await session.query('SET lock_timeout TO 0');
  const skipped: string[] = [];
  const onNotice = ({ message }: { readonly message: string | undefined }): void => {
    if ((message ?? '').includes('skipping')) skipped.push(message ?? '');
  };
  session.on('notice', onNotice);
  try {
    for (const statement of statements) {
      const before = skipped.length;
      await session.query(statement).catch((error: unknown) => {
        if (!(error instanceof pg.DatabaseError) || !SKIPPED.includes(error.code ?? ''))
          throw error;
        skipped.push(`${statement}: ${error.message}`);
      });
      if (skipped.length === before) onDone(statement);
    }
  } finally {
    session.off('notice', onNotice);
  }
  if (skipped.length > 0) throw new MaintenanceError('rights', skipped.join('; '));
}
