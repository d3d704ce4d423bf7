// An empty database, and a folder of migrations to apply to it.

import type pg from 'pg';
import type { Test } from 'tap';
import {
  migrate,
  type MigrateOptions,
  type MigrationReport,
} from '../../../src/postgres/migrations/migrate.js';
import type { TestDatabase, TestServer } from '../../helpers/database.js';

export const FIRST = 'CREATE TABLE public.one (n integer);\nINSERT INTO public.one VALUES (1);\n';
export const SECOND = 'ALTER TABLE public.one ADD COLUMN m integer;\n';
export const FILES = { '000001_first.sql': FIRST, '000002_second.sql': SECOND };

export interface Setup extends Pick<TestDatabase, 'config' | 'adminConfig'> {
  readonly folder: string;
  /** Runs a statement as the owner of the database. */
  readonly query: (sql: string) => Promise<pg.QueryResultRow[]>;
  readonly apply: (options?: Partial<MigrateOptions>) => Promise<MigrationReport>;
  /** The tables of schema public. */
  readonly tables: () => Promise<string[]>;
}

export async function setUp(
  t: Test,
  { createDatabase }: TestServer,
  files: Record<string, string> = FILES,
): Promise<Setup> {
  const database = await createDatabase({ migrate: false });
  const folder = t.testdir(files);
  const apply: Setup['apply'] = (options) =>
    migrate(database.config, { mode: 'apply', folder, ...options });
  const tables = async () => {
    const rows = await database.query<{ relname: string }>(
      `SELECT relname FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname`,
    );
    return rows.map(({ relname }) => relname);
  };
  const query = (sql: string) => database.query(sql);
  return { ...database, query, folder, apply, tables };
}
