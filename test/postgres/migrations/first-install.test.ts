// The first migration of a table vms: it succeeds completely or changes nothing, and never uses
// objects that another role created under shipped names.

import pg from 'pg';
import t, { type Test } from 'tap';
import { migrate } from '../../../src/postgres/migrations/migrate.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { createGuideDatabase } from '../../schema/guide.js';
import { openSession } from '../../schema/session.js';
import { describeSchema } from '../../schema/snapshot.js';

const { createDatabase } = await startServer(t);

/** The guide's table, with rows. */
async function foundTable(t: Test): Promise<TestDatabase> {
  const database = await createDatabase({ migrate: false });
  await createGuideDatabase(await openSession(t, database.config));
  return database;
}

const MISSING: readonly [change: string, column: RegExp][] = [
  ['ALTER TABLE vms DROP COLUMN updated_at', /schema\/guard\.sql: the table vms lacks updated_at,/],
  ['ALTER TABLE vms RENAME COLUMN email TO person', /the table vms lacks email,.*Add the column/],
  ['ALTER TABLE vms DROP COLUMN id, DROP COLUMN status', /the table vms lacks id, status,/],
];

t.test('a table that lacks a column stays unchanged, and the column is named', async (t) => {
  for (const [change, message] of MISSING) {
    const { config } = await foundTable(t);
    const session = await openSession(t, config);
    await session.query(change);
    const before = await describeSchema(session);
    await t.rejects(migrate(config, { mode: 'apply' }), { code: 'schema_failed', message });
    t.same(await describeSchema(session), before, change);
    await session.query(`UPDATE vms SET crd_command = 'x'`);
  }
});

t.test('a failed migration rolls back those before it', async (t) => {
  const { config } = await foundTable(t);
  const session = await openSession(t, config);
  // The eighth migration indexes this column, whose type has no order.
  await session.query(`ALTER TABLE vms DROP CONSTRAINT vms_pkey, ALTER COLUMN id DROP DEFAULT`);
  await session.query(`ALTER TABLE vms ALTER COLUMN id TYPE json USING '1'`);
  const before = await describeSchema(session);
  await t.rejects(migrate(config, { mode: 'apply' }), {
    code: 'schema_failed',
    message: /000008_assignments/,
  });
  t.same(await describeSchema(session), before);
});

const PLANTS: readonly [sql: string, named: RegExp][] = [
  [
    `CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TABLE vm_events (id bigint);
     CREATE TRIGGER thief BEFORE INSERT ON vm_events FOR EACH ROW EXECUTE FUNCTION steal()`,
    /relation public\.vm_events of planter.*trigger thief on public\.vm_events/,
  ],
  [
    'CREATE VIEW vm_deliveries AS SELECT 1 AS assignment_id',
    /view public\.vm_deliveries of planter/,
  ],
  ['CREATE SEQUENCE vms_version_seq', /sequence public\.vms_version_seq of planter/],
  ['CREATE TABLE gateways (instance text PRIMARY KEY)', /relation public\.gateways of planter/],
  [
    `CREATE FUNCTION stamp_vm() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    /function public\.stamp_vm\(\) of planter/,
  ],
  ['CREATE TABLE lablink_migrations (number int)', /lablink_migrations belongs to planter/],
  ['CREATE VIEW lablink_migrations AS SELECT 1 AS number', /lablink_migrations belongs to planter/],
];

/**
 * Grants another role CREATE on the schema public, runs SQL as that role, and revokes the right.
 */
async function plant(database: TestDatabase, sql: string): Promise<void> {
  const admin = new pg.Client(database.adminConfig);
  await admin.connect();
  await admin.query(`
    DO $$ BEGIN CREATE ROLE planter; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT CREATE, USAGE ON SCHEMA public TO planter`);
  await admin.query(
    `SET ROLE planter; ${sql}; RESET ROLE; REVOKE ALL ON SCHEMA public FROM planter`,
  );
  await admin.end();
}

t.test('objects that another role created under shipped names are refused', async (t) => {
  for (const [sql, message] of PLANTS) {
    for (const who of ['config', 'adminConfig'] as const) {
      for (const prepare of [foundTable, () => createDatabase({ migrate: false })]) {
        const database = await prepare(t);
        await plant(database, sql);
        const rejected = { code: 'schema_failed', message };
        await t.rejects(migrate(database[who], { mode: 'apply' }), rejected, `${who}: ${sql}`);
      }
    }
  }
});

t.test(
  'a trigger that another role put on a table of ours is found by the next migration',
  async (t) => {
    const database = await createDatabase();
    await database.query('GRANT TRIGGER ON vm_events TO PUBLIC');
    await plant(
      database,
      `CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER thief BEFORE INSERT ON vm_events FOR EACH ROW EXECUTE FUNCTION steal()`,
    );
    await database.query(
      'DELETE FROM lablink_migrations WHERE number = (SELECT max(number) FROM lablink_migrations)',
    );
    const rejected = {
      code: 'schema_failed',
      message: /trigger thief on public\.vm_events.*planter/,
    };
    await t.rejects(migrate(database.config, { mode: 'apply' }), rejected);
  },
);
