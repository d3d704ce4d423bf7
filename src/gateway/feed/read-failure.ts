// Describes why the database refuses to let the gateway read the table, in one sentence for an
// operator that names what mends it. Pure.

import pg from 'pg';

/** The database takes reads only: a change through the gateway would fail. */
export class ReadOnlyError extends Error {
  override readonly name = 'ReadOnlyError';
  constructor() {
    super('the database is read-only');
  }
}

/** The table is there, and a change through the gateway would fail because of its shape. */
export class TableShapeError extends Error {
  override readonly name = 'TableShapeError';
}

/**
 * Describes what a change through the gateway would lack.
 * @param missingColumns names, separated by commas; null if none is missing
 * @param isTable false for a view
 * @returns undefined if nothing is missing
 */
export function describeShape(missingColumns: string | null, isTable: boolean): string | undefined {
  if (!isTable)
    return 'vms is no table: rename the view that took its place, and name it vms again.';
  if (missingColumns === null) return undefined;
  return `The table vms lacks columns: rename them back, or add them (${missingColumns}).`;
}

const READ_ONLY =
  'The database is read-only for this role: reset default_transaction_read_only, or connect to the primary.';

/** By SQLSTATE (PostgreSQL, "Error Codes"). */
const REASONS: Readonly<Record<string, string>> = {
  '25006': READ_ONLY,
  '55P03':
    'The table cannot be read, because another session holds a lock on it: end that session, or the prepared transaction.',
  '57014': 'The table could not be read in time: see pg_stat_activity for what it waits for.',
  '42P01': 'A table of the schema is missing: run `lablink-gateway db migrate`.',
  '42883': 'A function of the schema is missing: run `lablink-gateway db migrate`.',
  '42703': 'A column of the schema is missing: run `lablink-gateway db migrate`.',
  '3F000': 'The schema is missing: run `lablink-gateway db migrate`.',
};

/**
 * Describes the failure of a read or a check.
 * @returns undefined if the database did not refuse it: the connection failed, which a heartbeat
 * detects
 */
export function describeReadFailure(error: unknown): string | undefined {
  if (error instanceof ReadOnlyError) return READ_ONLY;
  if (error instanceof TableShapeError) return error.message;
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const code = error.code ?? '';
  if (/^(08|57P)/.test(code)) return undefined;
  if (error.routine === 'check_enable_rls')
    return 'Row security hides rows of vms from this role: ALTER ROLE … BYPASSRLS, or disable row security on the table.';
  if (code === '42501')
    return 'This role lacks a right to a table of the schema: see deploy/postgres/grants.sql.';
  if (code.startsWith('53'))
    return `The server has no room for this role (SQLSTATE ${code}): raise the limit of connections, memory or disk.`;
  // Never the message: a function may raise any text, a command among it, under any code.
  return REASONS[code] ?? `The table could not be read (SQLSTATE ${code}).`;
}
