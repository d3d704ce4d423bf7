// Reports of how commands ended: only the first one counts, only from the agent of the assignment,
// and no row changes.

import t from 'tap';
import {
  recordEnd,
  listDeliveries,
  type EndReport,
} from '../../../src/gateway/database/deliveries.js';
import { acknowledge } from '../../../src/gateway/database/reports.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';

const { createDatabase } = await startServer(t);
const ACTOR = { name: 'agent:vm-1', requestId: 'req-1' };
const NOBODYS = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';
const FAILED: EndReport = { outcome: 'failed', exitCode: 3, signal: null };
const STOPPED: EndReport = { outcome: 'stopped', exitCode: null, signal: 'SIGTERM' };

async function setUp() {
  const database = await createDatabase();
  const { pool } = database;
  const query: TestDatabase['query'] = (sql, values) => database.query(sql, values);
  await query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available'), ('vm-2', 'in-use')`,
  );
  const assign = async (email: string): Promise<string> => {
    const [row] = await query<{ id: string }>(
      `UPDATE vms SET status = 'in-use', email = $1 WHERE hostname = 'vm-1'
       RETURNING assignment_id AS id`,
      [email],
    );
    return row?.id ?? '';
  };
  const report = (id: string, how: EndReport, hostname = 'vm-1') =>
    recordEnd(pool, ACTOR, hostname, id, how);
  const list = async (hostname = 'vm-1', limit = 10): Promise<unknown[]> =>
    (await listDeliveries(pool, hostname, limit)).map((text) => JSON.parse(text) as unknown);
  const rows = () => query('SELECT * FROM vms ORDER BY id');
  return { database, assign, report, list, rows };
}

t.test('only the first report counts', async (t) => {
  const { assign, report, list } = await setUp();
  const id = await assign('ada@x.y');
  t.match(await list(), [{ assignment_id: id, made_at: /Z$/, ended_at: null, outcome: null }]);
  const first = JSON.parse((await report(id, FAILED)) ?? '') as object;
  t.match(first, { assignment_id: id, hostname: 'vm-1', ended_at: /Z$/ });
  t.match(first, { outcome: 'failed', exit_code: 3, signal: null });
  t.same(JSON.parse((await report(id, STOPPED)) ?? ''), first);
  t.same(await list(), [first]);
});

t.test('a report about a previous assignment does not affect the current one', async (t) => {
  const { assign, report, list, rows } = await setUp();
  const last = await assign('ada@x.y');
  const present = await assign('bob@x.y');
  const before = await rows();
  t.match(JSON.parse((await report(last, STOPPED)) ?? ''), {
    outcome: 'stopped',
    signal: 'SIGTERM',
  });
  t.same(await rows(), before, 'not a column of any row');
  t.match(await list(), [
    { assignment_id: present, ended_at: null },
    { assignment_id: last, outcome: 'stopped' },
  ]);
  t.match(await list('vm-1', 1), [{ assignment_id: present }]);
});

t.test('only the agent that has or had the assignment can report about it', async (t) => {
  const { database, assign, report, list } = await setUp();
  const id = await assign('ada@x.y');
  t.equal(await report(id, FAILED, 'vm-2'), undefined);
  t.equal(await report(NOBODYS, FAILED), undefined);
  await database.query(`UPDATE vms SET hostname = 'vm-9' WHERE hostname = 'vm-1'`);
  t.match(await list('vm-9'), [{ assignment_id: id, ended_at: null }], 'under its new name');
  t.type(await report(id, FAILED, 'vm-9'), 'string');
  t.equal(await report(id, STOPPED, 'vm-1'), undefined, 'and not under the old one');
  t.match(await list('vm-9'), [{ outcome: 'failed' }]);
});

t.test('a rename ends the rights of the agent under the earlier hostname', async (t) => {
  const { database, assign, report, list } = await setUp();
  const id = await assign('ada@x.y');
  await database.query(`UPDATE vms SET hostname = 'vm-9' WHERE hostname = 'vm-1'`);
  t.equal(await report(id, STOPPED, 'vm-1'), undefined, 'it is the delivery of another VM');
  t.same(await list('vm-1'), [], 'which the earlier hostname no longer sees');
  t.match(await list('vm-9'), [{ assignment_id: id, ended_at: null }]);
  const acknowledgement = { hostname: 'vm-9', assignmentId: id, pushedAgoMs: undefined };
  t.ok(await acknowledge(database.pool, ACTOR, acknowledgement));
  await database.query(
    `UPDATE vms SET status = 'available', email = NULL, crd_command = NULL WHERE hostname = 'vm-9'`,
  );
  t.equal(await report(id, STOPPED, 'vm-1'), undefined, 'nor after it was released');
  t.match(JSON.parse((await report(id, FAILED, 'vm-9')) ?? ''), {
    hostname: 'vm-9',
    outcome: 'failed',
  });
});
