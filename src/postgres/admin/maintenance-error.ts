// Why an operation on the database was not done, as an error with a stable code.

import pg from 'pg';
import { isConnectionError } from '../errors.js';
import { SchemaError } from '../migrations/migrate.js';

/**
 * - `refused`: as things are it must not be done; the message says what must be otherwise.
 * - `tools`: PostgreSQL's own programs are missing here, or older than the server.
 * - `rights`: the role may not do what is needed.
 * - `bad_backup`: the file is not a backup that can be restored.
 * - `unreachable`: the database went away meanwhile.
 * - `failed`: it was tried, and failed.
 */
export type MaintenanceErrorCode =
  'refused' | 'tools' | 'rights' | 'bad_backup' | 'unreachable' | 'failed';

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

/** lock_not_available: others had the lock for as long as this waits. */
const LOCKED = '55P03';
/** insufficient_privilege. */
const RIGHTS = '42501';
/** undefined_table, undefined_function, undefined_column: of our schema, since the statements name nothing else. */
const NO_SCHEMA = ['42P01', '42883', '42703'];

/** Of a wrong role, password or database: told as what it is, also by whoever is connected elsewhere already. */
const CANNOT_ENTER = /^(28...|3D000)$/;

/** What the database answered, as an error that says what to do; anything else as it came. */
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
      `${message}: others use the table; see "lablink-gateway db connections", and try again`,
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
