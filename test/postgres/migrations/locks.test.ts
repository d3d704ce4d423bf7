// Migrations wait for locks, but never so long that other sessions queue for long.

import pg from 'pg';
import t, { type Test } from 'tap';
import { migrate } from '../../../src/postgres/migrations/migrate.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';

const server = await startServer(t);

/** Opens a transaction that has written to vms, like a forgotten psql. */
async function forgottenTransaction(t: Test, config: pg.ClientConfig) {
  const client = new pg.Client({ ...config, application_name: 'psql' });
  await client.connect();
  t.teardown(() => client.end());
  await client.query('BEGIN');
  await client.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x')`);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return { client, pid: rows[0]?.pid ?? 0 };
}

/** Creates a database whose table is not migrated. */
async function withTable(): Promise<TestDatabase> {
  const database = await server.createDatabase();
  await database.query('DROP TABLE lablink_migrations');
  return database;
}

t.test('migrating gives up if a transaction stays open, and names it', async (t) => {
  const database = await withTable();
  const { config } = database;
  const { client, pid } = await forgottenTransaction(t, config);
  const lockWait = { timeoutMs: 50, pauseMs: 1, attempts: 3 };
  await t.rejects(migrate(config, { mode: 'apply', lockWait }), {
    code: 'schema_locked',
    message: new RegExp(`locked by ${pid} \\(psql, idle in transaction\\); end those transactions`),
    cause: { code: '55P03' },
  });
  t.same(await database.query('SELECT 1 AS one FROM vms'), [], 'no session waits behind it');
  await client.query('COMMIT');
  await migrate(config, { mode: 'apply', lockWait });
});

t.test('migrating tries again, and succeeds after the transaction has ended', async (t) => {
  const database = await withTable();
  const { config } = database;
  const { client } = await forgottenTransaction(t, config);
  const migrating = migrate(config, {
    mode: 'apply',
    lockWait: { timeoutMs: 50, pauseMs: 1, attempts: 10_000 },
  });
  const attempts = new Set<string>();
  while (attempts.size < 3) {
    const waiting = await database.query<{ virtualtransaction: string }>(
      `SELECT virtualtransaction FROM pg_locks WHERE NOT granted AND relation = 'vms'::regclass`,
    );
    for (const { virtualtransaction } of waiting) attempts.add(virtualtransaction);
  }
  await client.query('COMMIT');
  t.not((await migrating).applied.length, 0);
});

t.test('migrating waits for another migration', async (t) => {
  const database = await server.createDatabase({ migrate: false });
  const { config } = database;
  const other = new pg.Client(config);
  await other.connect();
  t.teardown(() => other.end());
  await other.query('BEGIN');
  await other.query(`SELECT pg_advisory_xact_lock(x'6c61626c'::bigint)`);
  const migrating = migrate(config, { mode: 'apply' });
  const waiting = `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`;
  while ((await database.query(waiting)).length === 0);
  t.same(await database.query(`SELECT to_regclass('vms') AS vms`), [{ vms: null }]);
  await other.query('COMMIT');
  t.not((await migrating).applied.length, 0);
});
