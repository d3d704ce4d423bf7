// Reasons why a schema cannot be used or migrated, as an error with a stable code.

/**
 * - `schema_gap`: a number is missing among the migration files, or among those applied.
 * - `schema_edited`: the file of an applied migration has changed.
 * - `schema_newer`: the database has migrations that this version does not know.
 * - `schema_older`: the database lacks migrations and may not be changed.
 * - `schema_rights`: the role lacks a right.
 * - `schema_locked`: other sessions held the locks for too long.
 * - `schema_failed`: a migration failed, and was rolled back.
 */
export type SchemaErrorCode =
  | 'schema_gap'
  | 'schema_edited'
  | 'schema_newer'
  | 'schema_older'
  | 'schema_rights'
  | 'schema_locked'
  | 'schema_failed';

/** The schema cannot be used. The message says what to do. */
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
