// Expected failures of maintenance, as an error with a stable code.

import pg from 'pg';
import { isConnectionError } from '../errors.js';
import { SchemaError } from '../migrations/migrate.js';

/**
 * - `refused`: the operation would do harm now; the message says what must change first.
 * - `tools`: PostgreSQL's own programs are missing, or older than the server.
 * - `rights`: the role lacks a right.
 * - `bad_backup`: the file cannot be restored.
 * - `unreachable`: the connection was lost.
 * - `failed`: the operation was tried, and failed.
 */
export type MaintenanceErrorCode =
  'refused' | 'tools' | 'rights' | 'bad_backup' | 'unreachable' | 'failed';

/** The operation was not done. The message says why, and what to do. */
export class MaintenanceError extends Error {
  override readonly name = 'MaintenanceError';

  constructor(
    readonly code: MaintenanceErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** lock_not_available: other sessions kept the lock for the whole lock_timeout. */
const LOCKED = '55P03';
/** insufficient_privilege. */
const RIGHTS = '42501';
/**
 * undefined_table, undefined_function, undefined_column: statements name only the shipped schema.
 */
const NO_SCHEMA = ['42P01', '42883', '42703'];

/** A wrong role, password or database: reported like any failure to connect. */
const CANNOT_ENTER = /^(28...|3D000)$/;

/** Turns an error of the database into one that says what to do; returns other errors unchanged. */
export function toMaintenanceError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError) || isConnectionError(error)) return error;
  const { code = '', message } = error;
  if (CANNOT_ENTER.test(code)) return error;
  if (code === RIGHTS) {
    return new MaintenanceError('rights', `${message}; connect as a role that may do this`, {
      cause: error,
    });
  }
  if (code === LOCKED) {
    return new MaintenanceError(
      'failed',
      `${message}: other sessions use the table; see "lablink-gateway db connections", and try again`,
      { cause: error },
    );
  }
  if (NO_SCHEMA.includes(code)) {
    return new SchemaError('schema_older', `${message}; run "lablink-gateway db migrate"`, {
      cause: error,
    });
  }
  return new MaintenanceError('failed', `${message} (SQLSTATE ${code})`, { cause: error });
}
