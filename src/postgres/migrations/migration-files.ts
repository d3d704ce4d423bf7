// The migrations as this program ships them: the numbered files of the schema folder, without a gap.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SchemaError } from './schema-error.js';

/** One migration: the file `000003_version_trigger.sql` has number 3 and this name without `.sql`. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** SHA-256 of the text, in hexadecimal. */
  readonly checksum: string;
  readonly sql: string;
}

/** Migrations, and what is run before any of them is applied. */
export interface GuardedMigrations {
  readonly migrations: readonly Migration[];
  /** The file `guard.sql`, which changes nothing and raises where a database must not be migrated. */
  readonly guard: Pick<Migration, 'name' | 'sql'> | undefined;
}

// From src/postgres/migrations and from dist/postgres/migrations it is the same way.
const SCHEMA_FOLDER = fileURLToPath(new URL('../../../schema/', import.meta.url));
const FILE_NAME = /^(\d{6})_[a-z0-9_]+\.sql$/;

/**
 * Reads the migrations in their order. Files that do not begin with a digit are no migrations.
 * @throws SchemaError `schema_gap`: a number is missing or there twice, or a name is not understood.
 */
export async function readMigrations(folder: string = SCHEMA_FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d.*\.sql$/.test(name)).sort();
  if (names.length === 0) throw createMissingError(folder, 1);
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(FILE_NAME.exec(name)?.[1]);
      if (number !== index + 1) throw createMissingError(join(folder, name), index + 1);
      const text = await readFile(join(folder, name), 'utf8');
      return parseMigration(number, name.slice(0, -'.sql'.length), text);
    }),
  );
}

/**
 * Reads the migrations and their guard; a folder without `guard.sql` has none.
 * @throws SchemaError `schema_gap`, as `readMigrations`.
 */
export async function readGuardedMigrations(
  folder: string = SCHEMA_FOLDER,
): Promise<GuardedMigrations> {
  const migrations = await readMigrations(folder);
  const hasGuard = (await readdir(folder)).includes('guard.sql');
  if (!hasGuard) return { migrations, guard: undefined };
  const sql = await readFile(join(folder, 'guard.sql'), 'utf8');
  return { migrations, guard: { name: 'guard', sql: sql.replaceAll('\r\n', '\n') } };
}

const createMissingError = (path: string, number: number) =>
  new SchemaError(
    'schema_gap',
    `${path}: migration ${String(number).padStart(6, '0')} is missing here; install lablink-gateway again`,
  );

/** Line endings are made LF first: a checkout that converts them is no edit. */
function parseMigration(number: number, name: string, text: string): Migration {
  const sql = text.replaceAll('\r\n', '\n');
  return { number, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
}
