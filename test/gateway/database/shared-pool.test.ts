// Requests share a pool: each connection is given to one request at a time, and comes back whatever
// happens to the request.

import t from 'tap';
import { runReadQuery } from '../../../src/gateway/database/transaction.js';
import {
  OverloadError,
  REQUEST_LIMITS,
  SharedPool,
} from '../../../src/gateway/database/shared-pool.js';
import { startDatabase } from '../../helpers/database.js';

const { pool } = await startDatabase(t);
const runningOfIdentity = { report: 1, change: 1, read: 1, list: 1 };
const limits = { ...REQUEST_LIMITS, runningOfIdentity, waitingOfIdentity: 1 };
const read = { identity: 'dashboard:wall', priority: 'read' } as const;

t.test('a connection is passed on when it is released, after a failure too', async (t) => {
  const shared = new SharedPool(pool, limits);
  const source = shared.share(read);
  const first = await source.connect();
  const second = source.connect();
  await t.rejects(source.connect(), OverloadError, 'only one may wait');
  first.release();
  (await second).release(true);
  await t.rejects(runReadQuery(source, 'SELECT 1/0', []), /division by zero/);
  t.same(await runReadQuery(source, 'SELECT 1 AS one', []), [{ one: 1 }]);
});

t.test('a request that waits too long is refused, and takes no turn', async (t) => {
  const shared = new SharedPool(pool, limits, 1);
  const source = shared.share(read);
  const first = await source.connect();
  await t.rejects(source.connect(), OverloadError);
  first.release();
  (await new SharedPool(pool, limits).share(read).connect()).release();
  t.same(await runReadQuery(source, 'SELECT 1 AS one', []), [{ one: 1 }]);
});

t.test('a pool that cannot connect gives the turn back', async (t) => {
  let failures = 0;
  const failing = Object.assign(Object.create(pool) as typeof pool, {
    connect: () => Promise.reject(new Error(`failure ${++failures}`)),
  });
  const source = new SharedPool(failing, limits).share(read);
  await t.rejects(source.connect(), /failure 1/);
  await t.rejects(source.connect(), /failure 2/);
});
