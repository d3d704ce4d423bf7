// Compares the shipped migrations with the database's record, to find the pending ones. Pure.

import type { Migration } from './migration-files.js';
import { SchemaError } from './schema-error.js';

/** A migration in the database's record. */
export interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: Date;
}

/**
 * Selects the migrations that the database lacks, in order.
 *
 * @param bearing the oldest migration whose program works with the database; undefined if a program
 * must know all of them.
 * @returns a SchemaError if the schema cannot be used: the record is newer than this version,
 * differs from it, or has a gap.
 */
export function selectPending(
  migrations: readonly Migration[],
  applied: readonly AppliedMigration[],
  bearing?: number,
): Migration[] | SchemaError {
  for (const [index, record] of applied.entries()) {
    const migration = migrations[record.number - 1];
    if (migration === undefined && bearing !== undefined && bearing <= migrations.length) break;
    if (migration === undefined) return createNewerError(record);
    if (record.number !== index + 1) return createGapError(index + 1, record);
    if (migration.checksum !== record.checksum) return createEditedError(migration, record);
  }
  return migrations.slice(applied.length);
}

const createNewerError = (record: AppliedMigration) =>
  new SchemaError(
    'schema_newer',
    `the database has migration ${record.name}, which this lablink-gateway does not know; run the version that applied it, or a newer one`,
  );

const createGapError = (missing: number, record: AppliedMigration) =>
  new SchemaError(
    'schema_gap',
    `the database has migration ${record.name} but lacks number ${missing} in lablink_migrations; restore it from a complete backup`,
  );

const createEditedError = (migration: Migration, record: AppliedMigration) =>
  new SchemaError(
    'schema_edited',
    `schema/${migration.name}.sql is not what was applied on ${record.appliedAt.toISOString()} as ${record.name}; install lablink-gateway again, and put changes into a new migration`,
  );
