// Concurrent changes of VMs: each is decided from the row that it changes, and clearing counts what
// it deletes.

import t, { type Test } from 'tap';
import pg from 'pg';
import {
  changeVm,
  clearVms,
  deleteVm,
  registerVm,
  type Precondition,
} from '../../../src/gateway/database/changes.js';
import type { VmChange } from '../../../src/gateway/database/decide-change.js';
import { startServer } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);
const ACTOR = { name: 'admin:tester', requestId: 'req-1' };
const ANY: Precondition = () => true;
const AT_ONCE = 16;
const together = <T>(ask: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, n) => ask(n)));

async function withVms(t: Test, ...hostnames: string[]) {
  const database = await createDatabase();
  const pool = new pg.Pool({ ...database.config, max: AT_ONCE });
  t.teardown(() => pool.end());
  for (const hostname of hostnames) await registerVm(pool, ACTOR, hostname);
  const change = (wanted: Partial<VmChange>, precondition = ANY, hostname = 'vm-1') => {
    const nothing = { status: undefined, email: undefined, crdCommand: undefined, reassign: false };
    return changeVm(pool, ACTOR, hostname, { ...nothing, ...wanted }, precondition);
  };
  const readVersion = async (hostname = 'vm-1'): Promise<number> => {
    const [row] = await database.query<{ version: string }>(
      'SELECT version FROM vms WHERE hostname = $1',
      [hostname],
    );
    return Number(row?.version);
  };
  return { database, pool, change, readVersion };
}

const outcomes = (answers: readonly { outcome: string }[]): string[] =>
  answers.map(({ outcome }) => outcome).sort();

t.test('only one of several changes of the same version succeeds', async (t) => {
  const { change, readVersion } = await withVms(t, 'vm-1');
  await change({ status: 'in-use', email: 'ada@x.y' });
  for (let round = 0; round < 10; round++) {
    const seen = await readVersion();
    const answers = await together((n) =>
      change({ crdCommand: `run ${round} ${n}` }, (version) => version === seen),
    );
    const conflicts = Array<string>(AT_ONCE - 1).fill('version-conflict');
    t.same(outcomes(answers), ['changed', ...conflicts]);
    const now = await readVersion();
    for (const answer of answers) {
      if (answer.outcome === 'version-conflict') t.equal(answer.version, now);
      else t.equal(answer.outcome === 'changed' && answer.vm.version, now);
    }
  }
});

t.test('only one of several people who request the same VM gets it', async (t) => {
  const { change } = await withVms(t, 'vm-1');
  for (let round = 0; round < 10; round++) {
    const answers = await together((n) => change({ status: 'in-use', email: `p${n}@x.y` }));
    t.same(outcomes(answers), ['changed', ...Array<string>(AT_ONCE - 1).fill('rejected')]);
    await change({ status: 'available' });
  }
});

t.test('a change that changes nothing uses no version', async (t) => {
  const { change, readVersion } = await withVms(t, 'vm-1');
  await change({ status: 'in-use', email: 'ada@x.y', crdCommand: 'run' });
  const before = await readVersion();
  t.match(await change({ crdCommand: 'run' }), { outcome: 'changed', vm: { version: before } });
});

t.test('only one of several registrations of the same VM creates it', async (t) => {
  const { database, pool } = await withVms(t);
  for (let round = 0; round < 10; round++) {
    const hostname = `vm-${round}`;
    const answers = await together(() => registerVm(pool, ACTOR, hostname));
    t.equal(answers.filter(({ isNew }) => isNew).length, 1);
    t.equal(new Set(answers.map(({ vm }) => vm.row)).size, 1, 'all are told of the same row');
  }
  t.match(await database.query('SELECT count(*)::int FROM vms'), [{ count: 10 }]);
});

t.test('a registration succeeds while the VM is inserted and deleted concurrently', async (t) => {
  const { pool } = await withVms(t);
  const registering = together(() => registerVm(pool, ACTOR, 'vm-1'));
  await together(() => deleteVm(pool, ACTOR, 'vm-1', ANY));
  for (const { vm } of await registering) t.match(vm.row, '"vm-1"');
});

t.test('registering a registered VM changes nothing', async (t) => {
  const { pool, change, readVersion } = await withVms(t, 'vm-1');
  await change({ status: 'in-use', email: 'ada@x.y' });
  const version = await readVersion();
  t.match(await registerVm(pool, ACTOR, 'vm-1'), { isNew: false, vm: { version } });
});

t.test('only one of several deletions succeeds, and only of the expected version', async (t) => {
  const { pool, readVersion } = await withVms(t, 'vm-1');
  const seen = await readVersion();
  const stale = await deleteVm(pool, ACTOR, 'vm-1', (version) => version === seen - 1);
  t.same(stale, { currentVersion: seen });
  const answers = await together(() => deleteVm(pool, ACTOR, 'vm-1', ANY));
  t.same(answers.sort(), ['deleted', ...Array<string>(AT_ONCE - 1).fill('no-vm')]);
});

t.test('a change of a missing VM has no effect', async (t) => {
  const { change } = await withVms(t);
  t.same(await change({ status: 'failed' }), { outcome: 'no-vm' });
});

t.test(
  'clearing deletes exactly the expected number of VMs or none, with concurrent writers',
  async (t) => {
    const { database, pool } = await withVms(t);
    let cleared = 0;
    for (let round = 0; round < 25; round++) {
      await database.query('DELETE FROM vms');
      await database.query(
        `INSERT INTO vms (hostname, status) SELECT 'old-' || n, 'available' FROM generate_series(1, 5) n`,
      );
      // Each writer is its own transaction, like agents that register.
      const writers = Array.from({ length: 4 }, (_, n) => registerVm(pool, ACTOR, `new-${n}`));
      const counts = await Promise.all(Array.from({ length: 3 }, () => clearVms(pool, ACTOR, 6)));
      await Promise.all(writers);
      const removals = counts.filter((count) => count === 6).length;
      const [left] = await database.query<{ count: number }>('SELECT count(*)::int FROM vms');
      t.equal(left?.count, 9 - 6 * removals, `what was counted is what went: ${counts.join()}`);
      cleared += removals;
    }
    t.comment(`${cleared} of 25 rounds were cleared`);
  },
);

t.test('a transaction with a locked row continues, and clearing waits for it', async (t) => {
  const { database, pool } = await withVms(t, 'vm-1');
  const client = new pg.Client(database.config);
  await client.connect();
  t.teardown(() => client.end());
  await client.query('BEGIN');
  await client.query('SELECT FROM vms FOR UPDATE');
  const clearing = clearVms(pool, ACTOR, 1);
  await until('the clearing waits', async () => {
    const waiting = await database.query(`SELECT FROM pg_locks WHERE NOT granted`);
    return waiting.length > 0;
  });
  await client.query(`UPDATE vms SET status = 'failed'`);
  await client.query('COMMIT');
  t.equal(await clearing, 1);
});

t.test('no writer can change the table between counting and deleting', async (t) => {
  const { database, pool } = await withVms(t, 'vm-1');
  const client = new pg.Client(database.config);
  await client.connect();
  t.teardown(() => client.end());
  await client.query('BEGIN');
  await client.query(`INSERT INTO vms (hostname, status) VALUES ('vm-2', 'available')`);
  const clearing = clearVms(pool, ACTOR, 1);
  await client.query('SELECT pg_sleep(0.1)');
  await client.query('COMMIT');
  t.equal(await clearing, 2, 'the one who was there first is counted');
  t.equal(await clearVms(pool, ACTOR, 2), 2);
  t.equal(await clearVms(pool, ACTOR, 0), 0, 'an empty table may be cleared');
});
