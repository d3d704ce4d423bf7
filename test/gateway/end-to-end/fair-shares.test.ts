// The requests of an identity do not keep others from the database: agents' reports and admins'
// changes are served while a dashboard's lists wait.

import t, { type Test } from 'tap';
import { createApi } from '../../helpers/api.js';
import { startDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

const LISTS = 50;
/** The lists of one identity that run at the same time. */
const RUNNING_LISTS = 3;
/**
 * A list that waits for the lock is refused after some seconds. A machine may stand still for that
 * long, so the order is shown by one attempt of these.
 */
const ATTEMPTS = 4;

const database = await startDatabase(t);
await database.query(
  `INSERT INTO vms (hostname, status, email) VALUES ('vm-1', 'in-use', 'a@b.c'), ('vm-2', 'available', NULL)`,
);

t.test('a change and an acknowledgement overtake 50 lists of one dashboard', async (t) => {
  const gateway = await startGateway(t, database);
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const orders: string[][] = [];
  for (let n = 0; n < ATTEMPTS && orders.at(-1)?.[0] !== 'change'; n++)
    orders.push(await serve(t, gateway, agent));
  t.same(orders.at(-1)?.slice(0, 2), ['change', 'acknowledgement']);
  t.notOk(
    agent.messages.some(({ type }) => type === 'error'),
    'no report was refused',
  );
  const wall = await createApi(gateway, 'dashboard', 'wall');
  t.equal((await wall('GET', '/v1/vms')).status, 200, 'lists are served again');
});

/** Makes lists wait, and returns the order in which they and the others were answered. */
async function serve(t: Test, gateway: TestGateway, agent: RawClient): Promise<string[]> {
  const admin = await createApi(gateway);
  const wall = await createApi(gateway, 'dashboard', 'wall');
  const assignmentId = await assign();
  const served: string[] = [];

  // Lists read presence, and changes and reports do not: with this table locked, only lists wait.
  const holder = await database.pool.connect();
  await holder.query('BEGIN; LOCK TABLE vm_presence IN ACCESS EXCLUSIVE MODE');
  const lists = Array.from({ length: LISTS }, async () => {
    const { status } = await wall('GET', '/v1/vms');
    t.ok([200, 503].includes(status), 'a list is answered, or refused in time');
    served.push('list');
  });
  await until('lists wait for the lock', async () => (await countWaiting()) >= RUNNING_LISTS);

  const change = admin('PATCH', '/v1/vms/vm-2', { status: 'failed' }).then(({ status }) => {
    served.push('change');
    t.equal(status, 200);
  });
  agent.send({ type: 'ack', assignment_id: assignmentId });
  await change;
  await until('the acknowledgement is recorded', () => isAcknowledged(assignmentId));
  served.push('acknowledgement');
  await holder.query('ROLLBACK');
  holder.release();
  await Promise.all(lists);
  return served;
}

async function assign(): Promise<string | undefined> {
  const [row] = await database.query<{ id: string }>(
    `UPDATE vms SET crd_command = gen_random_uuid()::text WHERE hostname = 'vm-1'
     RETURNING assignment_id AS id`,
  );
  return row?.id;
}

async function countWaiting(): Promise<number> {
  const waiting = await database.query(
    `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%read_vm_presence%'
       AND datname = current_database()`,
  );
  return waiting.length;
}

async function isAcknowledged(assignmentId: string | undefined): Promise<boolean> {
  const acknowledged = await database.query(
    'SELECT FROM vm_deliveries WHERE assignment_id = $1 AND acknowledged_at IS NOT NULL',
    [assignmentId],
  );
  return acknowledged.length > 0;
}
