// No trigger aborts the change that fires it, whatever the columns of the table and what becomes of
// them while sessions are at work.

import { listen, read, row } from './listening.js';
import { onEveryServer } from './servers.js';
import { openSession, type Session } from './session.js';
import { INSERT, rowNow, UPDATE, writeAll } from './write-all.js';

/** Columns that a table may have grown, each with a value. */
const COLUMNS = {
  json: `json DEFAULT '{"a": [1, null]}'`,
  xml: `xml DEFAULT '<a>&amp;</a>'`,
  point: `point DEFAULT '(1,2)'`,
  polygon: `polygon DEFAULT '((0,0),(1,1),(1,0))'`,
  'text[]': `text[] DEFAULT '{a,NULL,"b c"}'`,
  tsvector: `tsvector DEFAULT 'a b'::tsvector`,
  bytea: `bytea DEFAULT '\\x00'`,
  'float8 NaN': `float8 DEFAULT 'NaN'`,
  'timestamp infinity': `timestamp DEFAULT 'infinity'`,
  'stored generated': `int GENERATED ALWAYS AS (id * 2) STORED`,
  identity: `int GENERATED ALWAYS AS IDENTITY`,
};

onEveryServer(async (t, { createDatabase, majorVersion }) => {
  t.test('columns of any type, with and without equality', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    const withXml = await hasXml(session);
    for (const [name, definition] of Object.entries(COLUMNS)) {
      const skip = name === 'xml' && !withXml && 'this server was built without libxml';
      await t.test(name, { skip }, async (t) => {
        await session.query(`ALTER TABLE vms ADD COLUMN extra ${definition}`);
        await writeAll(t, database, session);
        await session.query('ALTER TABLE vms DROP COLUMN extra');
      });
    }
  });

  const skip = majorVersion < 18 && 'they came with PostgreSQL 18';
  t.test('a virtual generated column is null in a notification', { skip }, async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(
      'ALTER TABLE vms ADD COLUMN extra int GENERATED ALWAYS AS (id * 2) VIRTUAL',
    );
    const { take } = await listen(t, database.config);
    await session.query(INSERT);
    await session.query(UPDATE);
    const { payload } = await rowNow(session);
    t.match(payload, /"extra":2}$/);
    t.same((await take()).at(-1), row(payload.replace('"extra":2}', '"extra":null}')));
    await session.query('UPDATE vms SET updated_at = now()');
    t.same(await take(), []);
  });

  t.test('a type whose cast to json raises: a notice instead of the row', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.adminConfig);
    await session.query(`
      CREATE TYPE mood AS ENUM ('calm');
      CREATE FUNCTION mood_to_json(mood) RETURNS json LANGUAGE plpgsql IMMUTABLE
        AS 'BEGIN RAISE EXCEPTION ''no''; END';
      CREATE CAST (mood AS json) WITH FUNCTION mood_to_json(mood);
      ALTER TABLE vms ADD COLUMN extra mood DEFAULT 'calm'`);
    const { take } = await listen(t, database.config);
    await session.query(INSERT);
    await session.query(UPDATE);
    t.same(await take(), [read('a'), read('a')]);
  });

  t.test('a column that is dropped, and one that comes, while a session is at work', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(`ALTER TABLE vms ADD COLUMN extra text DEFAULT 'x'`);
    await writeAll(t, database, session);
    const other = await openSession(t, database.config);
    await other.query('ALTER TABLE vms DROP COLUMN extra, ADD COLUMN another int DEFAULT 7');
    await writeAll(t, database, session);
  });

  t.test('a column that gets another type while a session is at work', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await writeAll(t, database, session);
    const other = await openSession(t, database.config);
    for (const change of [
      'hostname TYPE text',
      'email TYPE text',
      'status TYPE text',
      'crd_command TYPE varchar(10000)',
      'updated_at TYPE timestamptz',
      'created_at TYPE timestamptz',
    ]) {
      await other.query(`ALTER TABLE vms ALTER COLUMN ${change}`);
      await other.query(`SET TIME ZONE 'UTC'`);
      await t.test(change, (t) => writeAll(t, database, session));
    }
  });

  t.test('a status that is an enum', async (t) => {
    const database = await createDatabase();
    const session = await openSession(t, database.config);
    await session.query(`
      CREATE TYPE vm_status AS ENUM ('available', 'in-use');
      ALTER TABLE vms ALTER COLUMN status TYPE vm_status USING status::vm_status`);
    await writeAll(t, database, session);
  });
});

/** Whether the server was built with libxml. */
const hasXml = (session: Session): Promise<boolean> =>
  session.query(`SELECT xml '<a/>'`).then(
    () => true,
    () => false,
  );
