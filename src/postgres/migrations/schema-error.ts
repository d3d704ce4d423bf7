// Why a schema cannot be used or migrated, as an error with a stable code.

/**
 * - `schema_gap`: a number is missing among the migration files, or among those applied.
 * - `schema_edited`: a migration is no longer what was applied.
 * - `schema_newer`: the database has migrations that this program does not know.
 * - `schema_older`: the database lacks migrations and may not be changed.
 * - `schema_rights`: the role may not do what is needed.
 * - `schema_locked`: others held the locks for too long.
 * - `schema_failed`: a migration failed, and left nothing behind.
 */
export type SchemaErrorCode =
  | 'schema_gap'
  | 'schema_edited'
  | 'schema_newer'
  | 'schema_older'
  | 'schema_rights'
  | 'schema_locked'
  | 'schema_failed';

/** The schema is not as it must be. The message says what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';

  constructor(
    readonly code: SchemaErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
