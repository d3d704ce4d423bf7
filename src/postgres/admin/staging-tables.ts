// The rows of a backup in temporary tables of the session that restores them. Other sessions cannot
// see these tables, and they end with the transaction.

import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { DumpTable } from './dump-reader.js';
import { MaintenanceError } from './maintenance-error.js';

export interface StagingTable {
  /** The temporary table's name, quoted for SQL. */
  readonly name: string;
  /** The backup's columns, without quotes. */
  readonly columns: readonly string[];
}

const quote = (name: string): string => pg.escapeIdentifier(name);

/** Formats columns for SQL, with a table's alias if given. */
export function formatColumns(columns: readonly string[], alias?: string): string {
  const prefix = alias === undefined ? '' : `${alias}.`;
  return columns.map((column) => prefix + quote(column)).join(', ');
}

/** Lists the columns to compare: all but the version, which the table assigns again. */
export function listComparedColumns({ columns }: StagingTable): string[] {
  return columns.filter((column) => column !== 'version');
}

/**
 * Builds the condition that row `v` of the table equals row `r` of the backup, as binary images:
 * json and xml have no `=`.
 */
export function buildRowMatch(columns: readonly string[]): string {
  const [backup, table] = [formatColumns(columns, 'r'), formatColumns(columns, 'v')];
  return `r.id = v.id AND record_image_eq(ROW(${backup}), ROW(${table}))`;
}

/**
 * Copies the rows into a temporary table with the column types of `public.<table>`.
 *
 * @throws MaintenanceError `refused` if the table lacks a column of the backup.
 */
export async function fillStagingTable(
  session: pg.Client,
  table: string,
  { columns, encoding }: DumpTable,
  rows: AsyncGenerator<Buffer>,
): Promise<StagingTable> {
  await checkColumns(session, table, columns);
  const name = `pg_temp.${quote(`restored_${table}`)}`;
  const list = formatColumns(columns);
  await session.query(
    `CREATE TEMPORARY TABLE ${quote(`restored_${table}`)} ON COMMIT DROP AS
     SELECT ${list} FROM public.${quote(table)} WITH NO DATA`,
  );
  const copy = `COPY ${name} (${list}) FROM STDIN (ENCODING ${pg.escapeLiteral(encoding)})`;
  await pipeline(rows, session.query(copyFrom(copy)));
  await session.query(`ANALYZE ${name}`);
  return { name, columns };
}

/** Refuses columns that the table lacks, because their values would be lost. */
async function checkColumns(
  session: pg.Client,
  table: string,
  columns: readonly string[],
): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT name FROM unnest($2::text[]) AS name WHERE NOT EXISTS (
       SELECT FROM pg_catalog.pg_attribute
       WHERE attrelid = to_regclass($1) AND attname = name AND attnum > 0 AND NOT attisdropped)`,
    [`public.${table}`, columns],
  );
  if (rows.length === 0) return;
  const missing = rows.map(({ name }) => name).join(', ');
  throw new MaintenanceError(
    'refused',
    `The backup's ${table} has columns that the table here lacks: ${missing}. Add them (ALTER TABLE ${table} ADD COLUMN …), or use the lablink-gateway that made the backup.`,
  );
}
