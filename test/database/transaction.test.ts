// A transaction that fails: undone where the server answers, and left to the end of its session where it does not.

import t from 'tap';
import pg from 'pg';
import { read } from '../../src/database/transaction.js';
import { startDatabase } from '../helpers/database.js';

const database = await startDatabase(t, { migrate: false });

t.test('a statement that fails leaves a connection that can be used', async (t) => {
  const pool = new pg.Pool({ ...database.config, max: 1 });
  t.teardown(() => pool.end());
  const pid = async () => (await read<{ pid: number }>(pool, 'SELECT pg_backend_pid() pid', []))[0];
  const before = await pid();
  await t.rejects(read(pool, 'SELECT 1 / 0', []), { code: '22012' });
  t.same(await pid(), before);
});

t.test('a server that no longer answers is not asked for a rollback', async (t) => {
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
  await t.rejects(read(pool, 'SELECT 1', []), /timeout/);
  t.equal(asked.length, 1, 'only the BEGIN');
  t.same(released, [true], 'the connection is given up');
});
