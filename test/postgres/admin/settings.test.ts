// Backups, their verification, restores and moves do not depend on the settings, the encoding and
// the locale of the database; a restore that fails leaves what was there.

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createToolEnvironment } from '../../../src/config/load.js';
import { backUp } from '../../../src/postgres/admin/backup.js';
import { moveDatabase } from '../../../src/postgres/admin/move.js';
import { restore } from '../../../src/postgres/admin/restore.js';
import { migrate } from '../../../src/postgres/migrations/migrate.js';
import { installedBinDirs, startServer, type TestDatabase } from '../../helpers/database.js';
import { scratchFolder } from '../../helpers/scratch-folder.js';
import { openSession } from '../../schema/session.js';

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_dump')));
const skip = tools === undefined && 'there is no pg_dump';

/** Settings of a database, and values of types whose texts depend on them. */
const SETTINGS: Readonly<Record<string, string>> = {
  search_path: `'"$user"'`,
  DateStyle: `'German'`,
  IntervalStyle: `'sql_standard'`,
  TimeZone: `'Asia/Tokyo'`,
  bytea_output: `'escape'`,
  extra_float_digits: '-5',
  quote_all_identifiers: 'on',
  idle_in_transaction_session_timeout: '1',
  default_transaction_isolation: `'serializable'`,
  default_transaction_deferrable: 'on',
};
/** A move compares in the same way as a verification, so a few suffice. */
const MOVED = ['search_path', 'DateStyle'];
const VALUES = `CREATE SCHEMA others;
  CREATE TABLE others.texts (d timestamp, z timestamptz, i interval, b bytea, f float8, r regclass, n "char");
  INSERT INTO others.texts VALUES (now(), now(), '1 month 2 days 03:04', '\\x00ff', 0.1::float8 + 0.2, 'vms', 'x')`;

/** Options of CREATE DATABASE, and a table whose rows another locale or encoding would refuse. */
const LOCALES: Readonly<Record<string, { options: string; sql: string }>> = {
  'another locale than that of template0': {
    options: `LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8'`,
    sql: `CREATE TABLE words (a text CHECK (upper(a) = 'É')); INSERT INTO words VALUES ('é')`,
  },
  'an ICU locale': {
    options: `LOCALE_PROVIDER icu ICU_LOCALE 'en' LC_COLLATE 'C' LC_CTYPE 'C'`,
    sql: `CREATE TABLE words (a text CHECK (a < 'B')); INSERT INTO words VALUES ('a')`,
  },
  LATIN1: {
    options: `ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'`,
    sql: `CREATE TABLE words (a text CHECK (octet_length(a) = 1)); INSERT INTO words VALUES ('é')`,
  },
  'SQL_ASCII with a byte that is not UTF-8': {
    options: `ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'`,
    sql: `SET client_encoding TO SQL_ASCII; UPDATE vms SET email = E'\\xff' WHERE hostname = 'a'`,
  },
};

const ROWS = `SELECT hostname, status, encode(convert_to(coalesce(email, ''), 'SQL_ASCII'), 'hex') AS email,
  assignment_id FROM public.vms ORDER BY id`;

t.test('settings', { skip }, async (t) => {
  const { createDatabase } = await startServer(t, { binDir: tools?.binDir ?? '' });
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const fill = (database: TestDatabase) =>
    database.query(`INSERT INTO vms (hostname, status, email) VALUES ('a', 'in-use', 'x'),
      ('b', 'available', NULL), ('c', 'failed', 'y')`);
  const check = async (t: Test, database: TestDatabase): Promise<void> => {
    const options = {
      connection: database.config,
      environment: createToolEnvironment(),
      signal: new AbortController().signal,
    };
    const { file, verified } = await backUp({
      ...options,
      folder: join(folder, String(database.config.database)),
      ...{ keepDays: 7, gzip: false, verify: true, uploadCommand: undefined, now: new Date() },
    });
    t.ok(verified);
    const before = await database.query(ROWS);
    await database.query(`UPDATE public.vms SET status = 'in-use' WHERE hostname = 'b'`);
    await database.query(`DELETE FROM public.vms WHERE hostname = 'a'`);
    t.match(await restore({ ...options, file, replace: true, dryRun: false }), { vms: 3, kept: 1 });
    t.same(await database.query(ROWS), before);
  };

  for (const [name, value] of Object.entries(SETTINGS)) {
    t.test(`${name} = ${value}`, async (t) => {
      const database = await createDatabase();
      await fill(database);
      await database.query(VALUES);
      const admin = await openSession(t, database.adminConfig);
      const own = String(database.config.database);
      await admin.query(`ALTER DATABASE ${own} SET ${name} = ${value}`);
      await check(t, { ...database, query: await freshQuery(t, database) });
      if (!MOVED.includes(name)) return;
      const target = await createDatabase({ migrate: false });
      const report = await moveDatabase({
        connection: database.config,
        target: target.config,
        environment: createToolEnvironment(),
        dryRun: false,
        signal: new AbortController().signal,
      });
      t.match(report, { tables: { 'public.vms': 3, 'others.texts': 1 }, changedSince: [] });
    });
  }

  for (const [name, { options, sql }] of Object.entries(LOCALES)) {
    t.test(name, async (t) => {
      const base = await createDatabase();
      const admin = await openSession(t, { ...base.adminConfig, database: 'postgres' });
      const own = `${String(base.config.database)}_locale`;
      await admin.query(`CREATE DATABASE ${own} OWNER lablink TEMPLATE template0 ${options}`);
      const config = { ...base.config, database: own };
      await migrate(config, { mode: 'apply' });
      const database = { ...base, config };
      const query = await freshQuery(t, database);
      await fill({ ...database, query });
      await query(sql);
      await check(t, { ...database, query });
    });
  }

  t.test('a restore that fails leaves what was there', async (t) => {
    const WORLDS: Readonly<Record<string, { sql: string; code: string | undefined }>> = {
      'an id that is GENERATED ALWAYS': {
        sql: `ALTER TABLE vms ALTER id DROP DEFAULT; ALTER TABLE vms ALTER id ADD GENERATED ALWAYS AS IDENTITY`,
        code: undefined,
      },
      'a CHECK that a restored row breaks': {
        sql: `ALTER TABLE vms ADD CHECK (email <> 'x') NOT VALID`,
        code: 'failed',
      },
      'a trigger that raises': {
        sql: `CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
          CREATE TRIGGER raise BEFORE INSERT ON vms FOR EACH ROW EXECUTE FUNCTION raise()`,
        code: 'failed',
      },
      'a column that became narrower': {
        sql: `UPDATE vms SET status = 'x'; ALTER TABLE vms ALTER status TYPE varchar(3)`,
        code: 'failed',
      },
    };
    for (const [name, { sql, code }] of Object.entries(WORLDS)) {
      const database = await createDatabase();
      await fill(database);
      const options = {
        connection: database.config,
        environment: createToolEnvironment(),
        signal: new AbortController().signal,
      };
      const { file } = await backUp({
        ...options,
        folder: join(folder, String(database.config.database)),
        ...{ keepDays: 7, gzip: false, verify: false, uploadCommand: undefined, now: new Date() },
      });
      const backedUp = await database.query(ROWS);
      await database.query(`UPDATE vms SET email = 'z'; DELETE FROM vms WHERE hostname = 'a'`);
      await database.query(sql);
      const before = await database.query(ROWS);
      const done = restore({ ...options, file, replace: true, dryRun: false });
      if (code === undefined) {
        await done;
        t.same(await database.query(ROWS), backedUp, name);
        continue;
      }
      await t.rejects(done, { code }, name);
      t.same(await database.query(ROWS), before, name);
    }
  });
});

/** Queries in a new session, which has the settings of the database. */
const freshQuery = async (t: Test, { config }: TestDatabase): Promise<TestDatabase['query']> =>
  (await openSession(t, config)).query;
