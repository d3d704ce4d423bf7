// Reads the shipped migrations: the numbered files of the schema folder, without a gap.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SchemaError } from './schema-error.js';

/** The file `000003_version_trigger.sql` has the number 3 and the name `000003_version_trigger`. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** SHA-256 of the text, in hexadecimal. */
  readonly checksum: string;
  readonly sql: string;
  /**
   * The number of the oldest migration whose program still works after this one; undefined if none
   * does. The file says it in a line: `-- bears: 000014`.
   */
  readonly bears: number | undefined;
}

/** Migrations, and the script that runs before any of them is applied. */
export interface GuardedMigrations {
  readonly migrations: readonly Migration[];
  /**
   * The file `guard.sql`, which changes nothing, and raises if the database must not be migrated.
   */
  readonly guard: Pick<Migration, 'name' | 'sql'> | undefined;
}

// The relative path is the same from src/postgres/migrations and from dist/postgres/migrations.
const SCHEMA_FOLDER = fileURLToPath(new URL('../../../schema/', import.meta.url));
const BEARS = /^-- bears: (\d{6})$/m;
const FILE_NAME = /^(\d{6})_[a-z0-9_]+\.sql$/;

/**
 * Reads the migrations in their order. Files that do not begin with a digit are ignored.
 *
 * @throws SchemaError `schema_gap` if a number is missing or duplicate, or a name is malformed.
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
 * Reads the migrations, and their guard if the folder has a file `guard.sql`.
 *
 * @throws SchemaError `schema_gap`, like `readMigrations`.
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

/** Line endings become LF first, because a checkout may convert them. */
function parseMigration(number: number, name: string, text: string): Migration {
  const sql = text.replaceAll('\r\n', '\n');
  const [, bears] = BEARS.exec(sql) ?? [];
  return {
    number,
    name,
    sql,
    bears: bears === undefined ? undefined : Number(bears),
    checksum: createHash('sha256').update(sql).digest('hex'),
  };
}
