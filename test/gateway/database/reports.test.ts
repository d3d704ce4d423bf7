// The changes that an agent may make to its row, and the records of its assignments.

import t, { type Test } from 'tap';
import pg from 'pg';
import {
  acknowledge,
  reportStatus,
  type ReportOutcome,
} from '../../../src/gateway/database/reports.js';
import { startServer } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);
const NOBODYS = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

/** Creates a database with a VM in this status. */
async function withVm(status: string) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm-1', $1, 'a@b.c', 'run')`,
    [status],
  );
  const row = async () => {
    const [found] = await database.query(
      'SELECT status, email, crd_command, assignment_id, version FROM vms',
    );
    return found;
  };
  const report = (
    to: 'failed' | 'available',
    assignmentId?: string,
    hostname = 'vm-1',
  ): Promise<ReportOutcome> =>
    reportStatus(database.pool, ACTOR, { hostname, status: to, assignmentId });
  return { database, row, report };
}

const ACTOR = { name: 'agent:vm-1', requestId: 'session-1' };

const OUTCOMES: readonly [from: string, to: 'failed' | 'available', ReportOutcome][] = [
  ['in-use', 'failed', 'done'],
  ['available', 'failed', 'done'],
  ['failed', 'failed', 'done'],
  ['rebooting', 'failed', 'done'],
  ['failed', 'available', 'done'],
  ['available', 'available', 'done'],
  ['in-use', 'available', 'not-failed'],
  ['rebooting', 'available', 'not-failed'],
];

for (const [from, to, outcome] of OUTCOMES) {
  t.test(`from ${from} to ${to}: ${outcome}`, async (t) => {
    const { row, report } = await withVm(from);
    const before = await row();
    t.equal(await report(to), outcome);
    const after = await row();
    if (outcome !== 'done') t.same(after, before);
    else t.equal(after?.status, to);
    if (from === to && to === 'failed') t.same(after, before, 'a repeat changes nothing');
    if (outcome === 'done' && to === 'available')
      t.match(after, { email: null, crd_command: null, assignment_id: null });
    if (outcome === 'done' && to === 'failed') t.match(after, { email: 'a@b.c' });
  });
}

t.test('a report about another assignment than the current one is stale', async (t) => {
  const { row, report } = await withVm('in-use');
  const before = await row();
  const assignment = String(before?.assignment_id);
  t.equal(await report('failed', NOBODYS), 'stale');
  t.same(await row(), before);
  t.equal(await report('failed', assignment), 'done');
  t.equal(await report('available', NOBODYS), 'stale');
  t.equal(await report('available', assignment), 'done');
  t.equal(await report('failed', assignment), 'stale', 'there is none any more');
  t.match(await row(), { status: 'available' });
});

t.test('a report about a missing VM has no effect', async (t) => {
  const { report } = await withVm('in-use');
  t.equal(await report('failed', undefined, 'nobody'), 'no-vm');
});

t.test('a report is checked against the row that it changes', async (t) => {
  const { database, row, report } = await withVm('failed');
  const reassigner = await connected(t, database.config);
  await reassigner.query(`BEGIN; UPDATE vms SET status = 'in-use', email = 'next@b.c'`);
  const outcome = report('available');
  await until('the report waits', async () => {
    const waiting = await database.query(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    return waiting.length > 0;
  });
  await reassigner.query('COMMIT');
  t.equal(await outcome, 'not-failed');
  t.match(await row(), { status: 'in-use', email: 'next@b.c' });
});

t.test('an acknowledgement is recorded once, with its first time', async (t) => {
  const { database, row } = await withVm('in-use');
  const assignment = String((await row())?.assignment_id);
  const deliveries = () =>
    database.query('SELECT * FROM vm_deliveries WHERE acknowledged_at IS NOT NULL');
  const acknowledged = (hostname: string, assignmentId: string, pushedAgoMs?: number) =>
    acknowledge(database.pool, ACTOR, { hostname, assignmentId, pushedAgoMs });
  t.equal(await acknowledged('vm-1', NOBODYS), undefined);
  t.equal(await acknowledged('vm-2', assignment), undefined);
  t.same(await deliveries(), []);
  const first = await acknowledged('vm-1', assignment);
  t.ok((first?.tookSeconds ?? -1) >= 0, 'since the assignment was made');
  const recorded = await deliveries();
  t.match(recorded, [{ assignment_id: assignment, hostname: 'vm-1', acknowledged_at: Date }]);
  const again = await acknowledged('vm-1', assignment);
  t.same(again, { tookSeconds: undefined }, 'counted once');
  t.same(await deliveries(), recorded);
  await database.query(`UPDATE vms SET email = 'next@b.c'`);
  t.equal(await acknowledged('vm-1', assignment), undefined);
});

t.test(
  'an acknowledgement records the time of the push, unless it is recorded already',
  async (t) => {
    const { database, row } = await withVm('in-use');
    const pushedAgo = async (): Promise<number | undefined> => {
      const sql =
        'SELECT extract(epoch FROM acknowledged_at - pushed_at)::float8 AS s FROM vm_deliveries';
      const all = await database.query<{ s: number | null }>(
        `${sql} ORDER BY made_at DESC LIMIT 1`,
      );
      return all[0]?.s ?? undefined;
    };
    const acknowledgeNow = async (pushedAgoMs: number | undefined): Promise<void> => {
      const assignmentId = String((await row())?.assignment_id);
      await acknowledge(database.pool, ACTOR, { hostname: 'vm-1', assignmentId, pushedAgoMs });
    };
    await acknowledgeNow(3_000);
    t.equal(await pushedAgo(), 3);
    await database.query(`UPDATE vms SET email = 'next@b.c'`);
    await acknowledgeNow(undefined);
    t.equal(await pushedAgo(), undefined, 'of one who was told otherwise nothing is claimed');
    await database.query(`UPDATE vms SET email = 'third@b.c'`);
    await database.query(
      `UPDATE vm_deliveries SET pushed_at = made_at WHERE acknowledged_at IS NULL`,
    );
    const known = await database.query(
      'SELECT pushed_at FROM vm_deliveries WHERE acknowledged_at IS NULL',
    );
    await acknowledgeNow(60_000);
    const kept = await database.query(
      'SELECT pushed_at FROM vm_deliveries ORDER BY made_at DESC LIMIT 1',
    );
    t.same(kept, known, 'what was recorded stands');
  },
);

async function connected(t: Test, config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}
