// Long reads end after an idle time, and not after a total time.

import t, { type Test } from 'tap';
import pg from 'pg';
import { queryWithIdleTimeout } from '../../../src/gateway/database/idle-timeout-query.js';
import { startProxy } from '../../faults/proxy.js';
import { startDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const database = await startDatabase(t, { migrate: false });
const ROWS = `SELECT n, repeat('x', 1000) FROM generate_series(1, $1::int) n`;

/** A pool behind a proxy, whose other queries have a timeout of 200 ms. */
async function behindProxy(t: Test) {
  const proxy = await startProxy(t, database.config);
  const config = { ...proxy.through(database.config), query_timeout: 200, max: 1 };
  const pool = new pg.Pool(config);
  pool.on('error', () => undefined);
  t.teardown(() => pool.end());
  const first = { text: 'SELECT 1', query_timeout: 60_000 };
  await pool.query(first);
  return { proxy, pool };
}

t.test(
  'a query that takes longer than the total timeout of others, but is never idle, succeeds',
  async (t) => {
    const { proxy, pool } = await behindProxy(t);
    proxy.throttle(200_000);
    await t.rejects(pool.query(ROWS, [200]), /timeout/, 'another query gives up');
    const rows = await queryWithIdleTimeout(pool, ROWS, [200], { idleTimeoutMs: 5_000 });
    t.equal(rows.length, 200);
  },
);

t.test('the idle timeout ends a query, and its connection is not used again', async (t) => {
  const { proxy, pool } = await behindProxy(t);
  proxy.hang();
  await t.rejects(
    queryWithIdleTimeout(pool, ROWS, [1], { idleTimeoutMs: 100 }),
    /Query read timeout/,
  );
  t.equal(pool.totalCount, 0);
  t.equal((await queryWithIdleTimeout(pool, ROWS, [2], {})).length, 2, 'the next has another');
});

t.test('an aborted query ends, and frees the pool', async (t) => {
  const { pool } = await behindProxy(t);
  const given = new AbortController();
  const asked = queryWithIdleTimeout(pool, 'SELECT pg_sleep(3600)', [], { signal: given.signal });
  const asleep = () => database.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`);
  await until('it is under way', async () => (await asleep()).length === 1);
  given.abort();
  await t.rejects(asked, /the query was aborted/);
  t.equal(pool.totalCount, 0, 'its connection is free for nobody');
  await t.rejects(queryWithIdleTimeout(pool, ROWS, [1], { signal: given.signal }), /aborted/);
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`,
  );
});

t.test('an error of the server keeps the connection', async (t) => {
  const { pool } = await behindProxy(t);
  await t.rejects(queryWithIdleTimeout(pool, 'SELECT 1/0', [], {}), { code: '22012' });
  t.equal(pool.totalCount, 1);
});
