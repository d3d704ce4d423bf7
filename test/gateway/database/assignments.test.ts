// Assignments under contention: a person has one VM, a VM has one person, and a request fails only
// if no VM is free.

import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import pg from 'pg';
import {
  assignVm,
  releaseAssignment,
  type AssignResult,
} from '../../../src/gateway/database/assignments.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);
const ACTOR = { name: 'admin:tester', requestId: 'req-1' };

interface Row {
  readonly hostname: string;
  readonly email: string | null;
  readonly status: string;
  readonly crd_command: string | null;
  readonly assignment_id: string | null;
}

/** Creates a database with free VMs, and enough connections that requests are concurrent. */
async function withFree(t: Test, count: number, connections = 24) {
  const database = await createDatabase();
  const pool = new pg.Pool({ ...database.config, max: connections });
  t.teardown(() => pool.end());
  await database.query(
    `INSERT INTO vms (hostname, status, updated_at)
     SELECT 'vm-' || n, 'available', now() - make_interval(mins => $1 - n) FROM generate_series(1, $1) n`,
    [count],
  );
  const ask = (email: string, crdCommand?: string): Promise<AssignResult> =>
    assignVm(pool, ACTOR, { email, crdCommand });
  const rows = () =>
    database.query<Row>(
      'SELECT hostname, email, status, crd_command, assignment_id FROM vms ORDER BY id',
    );
  return { database, pool, ask, rows };
}

const readRow = (assigned: AssignResult): Row => {
  if (assigned.outcome === 'none-free') throw new Error('none was free');
  return JSON.parse(assigned.vm.row) as Row;
};

/** Opens another session, which holds a lock until the test releases it. */
async function holder(t: Test, { config }: TestDatabase, ...statements: string[]) {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  await client.query('BEGIN');
  for (const statement of statements) await client.query(statement);
  return client;
}

/** Resolves when this number of sessions waits for a lock. */
const waiting = (database: TestDatabase, count: number) =>
  until(`${count} wait for a lock`, async () => {
    const [row] = await database.query<{ count: number }>(
      `SELECT count(*)::int FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return row?.count === count;
  });

t.test('a person gets one VM, with any number of concurrent requests', async (t) => {
  const emails = ['ada@x.y', 'bob@x.y', 'cy@x.y'];
  const { database, ask, rows } = await withFree(t, 60);
  for (let round = 0; round < 10; round++) {
    const asking = Array.from({ length: 24 }, (_, n) => ask(emails[n % emails.length] ?? ''));
    const answers = await Promise.all(asking);
    const seats = (await rows()).filter(({ email }) => email !== null);
    t.same(seats.map(({ email }) => email).sort(), emails, `one each in round ${round}`);
    t.equal(answers.filter(({ outcome }) => outcome === 'assigned').length, emails.length);
    for (const { email, assignment_id } of answers.map(readRow)) {
      t.ok(seats.some((seat) => seat.email === email && seat.assignment_id === assignment_id));
    }
    await database.query(`UPDATE vms SET status = 'available', email = NULL`);
  }
});

t.test('a stricter default isolation of the database makes no difference', async (t) => {
  const { database, ask, rows } = await withFree(t, 20);
  for (const level of ['repeatable read', 'serializable']) {
    await database.query(
      `ALTER DATABASE ${String(database.config.database)} SET default_transaction_isolation = '${level}'`,
    );
    await Promise.all(Array.from({ length: 20 }, () => ask(level)));
    t.equal((await rows()).filter(({ email }) => email === level).length, 1, level);
  }
});

t.test('with a hundred people and fifty VMs, each VM is assigned to one person', async (t) => {
  const { ask, rows } = await withFree(t, 50);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(`p${n}@x.y`)));
  const given = answers.filter(({ outcome }) => outcome === 'assigned').map(readRow);
  t.equal(given.length, 50);
  t.equal(new Set(given.map(({ hostname }) => hostname)).size, 50, 'none twice');
  const refused = answers.filter(({ outcome }) => outcome === 'none-free');
  t.same(refused, Array(50).fill({ outcome: 'none-free', counts: { 'in-use': 50 } }));
  const table = (await rows()).map(({ hostname, email }) => `${hostname} ${email}`).sort();
  t.same(table, given.map(({ hostname, email }) => `${hostname} ${email}`).sort());
});

t.test('a request waits for a VM whose transaction may roll back', async (t) => {
  const { database, ask } = await withFree(t, 1);
  const other = await holder(t, database, `UPDATE vms SET status = 'in-use', email = 'x'`);
  let answered = false;
  const asking = ask('ada@x.y').finally(() => (answered = true));
  await waiting(database, 1);
  t.notOk(answered);
  await other.query('ROLLBACK');
  t.match(await asking, { outcome: 'assigned' });
});

t.test('if that transaction commits, no VM is free', async (t) => {
  const { database, ask } = await withFree(t, 1);
  const other = await holder(t, database, `UPDATE vms SET status = 'in-use', email = 'x'`);
  const asking = ask('ada@x.y');
  await waiting(database, 1);
  await other.query('COMMIT');
  t.same(await asking, { outcome: 'none-free', counts: { 'in-use': 1 } });
});

t.test('a locked VM is skipped while another VM is free', async (t) => {
  const { database, ask } = await withFree(t, 3);
  const held = `SELECT FROM vms WHERE hostname = 'vm-1' FOR UPDATE`;
  const other = await holder(t, database, held);
  t.match(readRow(await ask('ada@x.y')), { hostname: 'vm-2' });
  await other.query('ROLLBACK');
  t.match(readRow(await ask('bob@x.y')), { hostname: 'vm-1' });
});

t.test('the VM that has been available for longest is assigned first', async (t) => {
  const { database, ask } = await withFree(t, 4);
  const hostnames = async (emails: readonly string[]) => {
    const seats: string[] = [];
    for (const email of emails) seats.push(readRow(await ask(email)).hostname);
    return seats;
  };
  t.same(await hostnames(['a', 'b']), ['vm-1', 'vm-2']);
  await releaseAssignment(database.pool, ACTOR, readRow(await ask('a')).assignment_id ?? '');
  t.same(await hostnames(['c', 'd', 'e']), ['vm-3', 'vm-4', 'vm-1'], 'one given back is last');
});

t.test('a person keeps their VM, and the same command keeps the assignment', async (t) => {
  const { ask, rows } = await withFree(t, 3);
  const first = readRow(await ask('ada@x.y', 'run 1'));
  for (const command of [undefined, 'run 1']) {
    const kept = await ask('ada@x.y', command);
    t.match(kept, { outcome: 'kept' });
    t.same(readRow(kept), first);
  }
  const replaced = await ask('ada@x.y', 'run 2');
  t.match(replaced, { outcome: 'kept' });
  t.match(readRow(replaced), { hostname: first.hostname, crd_command: 'run 2' });
  t.not(readRow(replaced).assignment_id, first.assignment_id);
  t.equal((await rows()).filter(({ email }) => email !== null).length, 1);
});

t.test('a failed VM does not count, and an email in other case is another person', async (t) => {
  const { database, ask } = await withFree(t, 3);
  const first = readRow(await ask('ada@x.y', 'run'));
  await database.query(`UPDATE vms SET status = 'failed' WHERE email = 'ada@x.y'`);
  const second = await ask('ada@x.y');
  t.match(second, { outcome: 'assigned' });
  t.not(readRow(second).hostname, first.hostname);
  t.equal(readRow(second).crd_command, null, 'a VM that is given has the command of now, or none');
  t.match(await ask('Ada@x.y'), { outcome: 'assigned' });
});

t.test('a released VM has no command', async (t) => {
  const { database, ask } = await withFree(t, 1);
  await database.query(`UPDATE vms SET crd_command = 'stale'`);
  t.equal(readRow(await ask('ada@x.y')).crd_command, null);
});

t.test('a release ends exactly its assignment, once', async (t) => {
  const { database, ask, rows } = await withFree(t, 1);
  const mine = readRow(await ask('ada@x.y', 'run')).assignment_id ?? '';
  const freed = await releaseAssignment(database.pool, ACTOR, mine);
  t.match(JSON.parse(freed?.row ?? '{}'), {
    ...{ status: 'available', email: null, crd_command: null, assignment_id: null },
  });
  t.equal(await releaseAssignment(database.pool, ACTOR, mine), undefined);
  const bobs = readRow(await ask('bob@x.y', 'run bob'));
  t.equal(
    await releaseAssignment(database.pool, ACTOR, mine),
    undefined,
    'the next person keeps hers',
  );
  t.match(await rows(), [{ email: 'bob@x.y', assignment_id: bobs.assignment_id }]);
  t.equal(await releaseAssignment(database.pool, ACTOR, randomUUID()), undefined);
});

t.test('a failed VM that is released stays failed, without a person', async (t) => {
  const { database, ask } = await withFree(t, 1);
  const { assignment_id } = readRow(await ask('ada@x.y', 'run'));
  await database.query(`UPDATE vms SET status = 'failed'`);
  const released = await releaseAssignment(database.pool, ACTOR, assignment_id ?? '');
  t.match(JSON.parse(released?.row ?? '{}'), {
    ...{ status: 'failed', email: null, crd_command: null },
  });
});

t.test(
  'with concurrent requests, only one of several releases of an assignment succeeds',
  async (t) => {
    const { pool, ask, rows } = await withFree(t, 2);
    await ask('cy@x.y');
    for (let round = 0; round < 15; round++) {
      const { assignment_id } = readRow(await ask('ada@x.y'));
      const releases = Array.from({ length: 8 }, () =>
        releaseAssignment(pool, ACTOR, assignment_id ?? ''),
      );
      const others = Array.from({ length: 8 }, (_, n) => ask(`p${n}@x.y`));
      const freed = (await Promise.all(releases)).filter((vm) => vm !== undefined);
      const given = (await Promise.all(others)).filter(({ outcome }) => outcome !== 'none-free');
      t.equal(freed.length, 1);
      t.ok(given.length <= 1, 'at most one could take it');
      for (const next of given.map(readRow)) {
        t.ok(
          (await rows()).some((row) => row.assignment_id === next.assignment_id),
          'and kept it',
        );
        await releaseAssignment(pool, ACTOR, next.assignment_id ?? '');
      }
    }
  },
);

t.test('an assignment is recorded with its actor, and rolled back as a whole', async (t) => {
  const { database, ask } = await withFree(t, 1);
  await t.rejects(ask('x'.repeat(256)), { code: '22001' });
  await ask('ada@x.y');
  const events = await database.query(
    `SELECT actor, request_id, new_email FROM vm_events WHERE op = 'update'`,
  );
  t.same(events, [{ actor: ACTOR.name, request_id: ACTOR.requestId, new_email: 'ada@x.y' }]);
});
