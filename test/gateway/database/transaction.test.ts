// Transactions have timeouts on the server. A failed transaction is rolled back if the server
// answers; otherwise its session is closed.

import t from 'tap';
import pg from 'pg';
import { runWriteTransaction, runReadQuery } from '../../../src/gateway/database/transaction.js';
import { startDatabase } from '../../helpers/database.js';

const database = await startDatabase(t, { migrate: false });

t.test('a failed statement leaves a usable connection', async (t) => {
  const pool = new pg.Pool({ ...database.config, max: 1 });
  t.teardown(() => pool.end());
  const pid = async () =>
    (await runReadQuery<{ pid: number }>(pool, 'SELECT pg_backend_pid() pid', []))[0];
  const before = await pid();
  await t.rejects(runReadQuery(pool, 'SELECT 1 / 0', []), { code: '22012' });
  t.same(await pid(), before);
});

t.test('no rollback is sent to a server that no longer answers', async (t) => {
  const asked: string[] = [];
  const released: unknown[] = [];
  const silent = {
    on: () => undefined,
    off: () => undefined,
    query: (sql: string) => {
      asked.push(sql);
      return Promise.reject(new Error('Query read timeout'));
    },
    release: (broken: unknown) => released.push(broken),
  };
  const pool = { connect: () => Promise.resolve(silent) } as unknown as pg.Pool;
  await t.rejects(runReadQuery(pool, 'SELECT 1', []), /timeout/);
  t.equal(asked.length, 1, 'only the BEGIN');
  t.same(released, [true], 'the connection is given up');
});

t.test(
  'statements have timeouts and an actor, and the next user of the connection has neither',
  async (t) => {
    const pool = new pg.Pool({ ...database.config, max: 1 });
    t.teardown(() => pool.end());
    const SETTINGS = `SELECT current_setting('lock_timeout') AS lock,
    current_setting('statement_timeout') AS statement, current_setting('lablink.actor', true) AS actor`;
    const settings = async (client: pg.Pool | pg.ClientBase) =>
      (await client.query<Record<string, string | null>>(SETTINGS)).rows[0];
    const none = { lock: '0', statement: '0' };
    t.match(await settings(pool), none);
    t.same(await runWriteTransaction(pool, { name: 'admin:ada', requestId: '1' }, settings), {
      lock: '5s',
      statement: '10s',
      actor: 'admin:ada',
    });
    t.match((await runReadQuery(pool, SETTINGS, []))[0], { lock: '5s', statement: '10s' });
    t.match(await settings(pool), { ...none, actor: '' });
  },
);

t.test('a transaction that the server rolls back is tried three times, and no more', async (t) => {
  const pool = new pg.Pool({ ...database.config, max: 1 });
  t.teardown(() => pool.end());
  const actor = { name: 'admin:ada', requestId: '1' };
  for (const code of ['40001', '40P01']) {
    await pool.query(`DROP SEQUENCE IF EXISTS attempts; CREATE SEQUENCE attempts;
      CREATE OR REPLACE FUNCTION conflict(below int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('attempts') < below THEN RAISE 'conflict' USING ERRCODE = '${code}'; END IF;
      END $$`);
    const run = (below: number) =>
      runWriteTransaction(pool, actor, (client) => client.query('SELECT conflict($1)', [below]));
    await run(3);
    t.match((await pool.query('SELECT last_value FROM attempts')).rows, [{ last_value: '3' }]);
    await t.rejects(run(1_000), { code });
    t.match((await pool.query('SELECT last_value FROM attempts')).rows, [{ last_value: '6' }]);
  }
  await pool.query('CREATE SEQUENCE once');
  const fails = (client: pg.ClientBase) => client.query(`SELECT nextval('once') / 0`);
  await t.rejects(runWriteTransaction(pool, actor, fails), { code: '22012' });
  t.match((await pool.query('SELECT last_value FROM once')).rows, [{ last_value: '1' }]);
});
