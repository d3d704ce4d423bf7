// Setting VMs with absent agents to failed: each condition by itself, and several gateways at the
// same time.

import t from 'tap';
import pg from 'pg';
import { failAbsent } from '../../../src/gateway/database/absence.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';

const { createDatabase } = await startServer(t);
const GRACE_MS = 60_000;
const ignore = (): void => undefined;

/**
 * A state in which the agent of `a` is absent; times are in minutes ago. Each test changes one
 * value.
 */
const ABSENT = {
  /** The live gateway: when it was ready, and its watermark. */
  readySince: 60,
  completeUntil: 0,
  leaseUntil: -1,
  made: 50,
  /** The last gateway of the agent; undefined if it never connected. */
  seen: { online: false, since: 10, renewedAt: 9, leaseUntil: 9 } as
    { online: boolean; since: number; renewedAt: number; leaseUntil: number } | undefined,
  /** Where the agent is now. */
  here: false,
  status: 'in-use',
};

async function world(changed: Partial<typeof ABSENT> = {}) {
  const { readySince, completeUntil, leaseUntil, made, seen, here, status } = {
    ...ABSENT,
    ...changed,
  };
  const database = await createDatabase();
  const query: TestDatabase['query'] = (sql, values) => database.query(sql, values);
  const ago = (minutes: number): string => `now() - interval '${minutes} minutes'`;
  await query(`INSERT INTO vms (hostname, status, email) VALUES ('a', 'in-use', 'ada@x.y')`);
  await query(`UPDATE vm_deliveries SET made_at = ${ago(made)}`);
  await query(`UPDATE vms SET status = '${status}'`);
  await query(`INSERT INTO gateways (instance, ready_since, lease_until, complete_until)
    VALUES ('here-1', ${ago(readySince)}, ${ago(leaseUntil)}, ${ago(completeUntil)})`);
  if (here) await query(`INSERT INTO vm_presence VALUES ('a', 'here-1', true, ${ago(1)})`);
  if (seen !== undefined) {
    await query(`INSERT INTO gateways (instance, ready_since, renewed_at, lease_until)
      VALUES ('old-1', ${ago(90)}, ${ago(seen.renewedAt)}, ${ago(seen.leaseUntil)})`);
    await query(
      `INSERT INTO vm_presence VALUES ('a', 'old-1', ${seen.online}, ${ago(seen.since)})`,
    );
  }
  const fail = (graceMs = GRACE_MS) => failAbsent(database.pool, 'here', graceMs, ignore);
  const row = async () => (await query<{ status: string; email: string }>('SELECT * FROM vms'))[0];
  return { database, fail, row };
}

t.test(
  'a VM whose agent was online and is absent becomes failed, once, with an entry in the audit',
  async (t) => {
    const { database, fail, row } = await world();
    t.same(await fail(9.5 * 60_000 + 60_000), [], 'not before the grace is over');
    t.same(await fail(), ['a']);
    t.match(await row(), { status: 'failed', email: 'ada@x.y' });
    t.match(await database.query('SELECT * FROM vm_events ORDER BY id DESC LIMIT 1'), [
      {
        old_status: 'in-use',
        new_status: 'failed',
        actor: 'gateway:agent-absent',
        request_id: 'here',
      },
    ]);
    t.same(await fail(), []);
    await database.query(`UPDATE vms SET status = 'in-use', email = 'bob@x.y'`);
    t.same(await fail(), [], 'the next assignment has to see its agent first');
  },
);

const UNHARMED: readonly [why: string, changed: Partial<typeof ABSENT>][] = [
  ['it is online', { here: true }],
  ['it was never seen', { seen: undefined }],
  ['it was seen only before the assignment', { made: 5 }],
  [
    'its gateway gave its last sign of life before the assignment',
    { made: 9, seen: { online: true, since: 70, renewedAt: 10, leaseUntil: 8 } },
  ],
  ['the gateways were not there to see it come back', { readySince: 0.5 }],
  ['the gateways have not written what they saw since', { completeUntil: 9.5 }],
  ['no gateway is there', { leaseUntil: 1 }],
  [
    'the lease of its gateway has only just ended',
    { seen: { online: true, since: 70, renewedAt: 20, leaseUntil: 0.5 } },
  ],
  ['the VM is free', { status: 'available' }],
  ['the VM is something else', { status: 'rebooting' }],
];

t.test('no VM becomes failed if', async (t) => {
  for (const [why, changed] of UNHARMED) {
    const { fail, row } = await world(changed);
    const before = await row();
    t.same(await fail(), [], why);
    t.same(await row(), before);
  }
});

t.test('an agent that disappeared with its gateway is absent like any other', async (t) => {
  const { fail } = await world({
    seen: { online: true, since: 70, renewedAt: 10, leaseUntil: 9 },
  });
  t.same(await fail(), ['a']);
});

t.test('only one of several gateways changes the VM', async (t) => {
  const { database } = await world();
  const pool = new pg.Pool({ ...database.config, max: 12 });
  t.teardown(() => pool.end());
  const done = await Promise.all(
    Array.from({ length: 12 }, (_, n) => failAbsent(pool, `gateway-${n}`, GRACE_MS, ignore)),
  );
  t.same(done.flat(), ['a']);
  const events = await database.query(`SELECT FROM vm_events WHERE new_status = 'failed'`);
  t.equal(events.length, 1);
});

t.test('a locked row is skipped', async (t) => {
  const { database, fail } = await world();
  const holder = new pg.Client(database.config);
  await holder.connect();
  t.teardown(() => holder.end());
  await holder.query(`BEGIN; SELECT FROM vms FOR UPDATE`);
  t.same(await fail(), []);
  await holder.query('COMMIT');
  t.same(await fail(), ['a']);
});

t.test('a VM that a rule of the database keeps does not stop the others', async (t) => {
  const { database } = await world();
  await database.query(`
    INSERT INTO vms (hostname, status, email) VALUES ('b', 'in-use', 'kept@x.y');
    UPDATE vm_deliveries SET made_at = now() - interval '50 minutes' WHERE hostname = 'b';
    INSERT INTO vm_presence SELECT 'b', gateway, online, since FROM vm_presence WHERE hostname = 'a';
    ALTER TABLE vms ADD CONSTRAINT kept CHECK (email <> 'kept@x.y' OR status <> 'failed')`);
  const rejected: string[] = [];
  const failed = await failAbsent(database.pool, 'here', GRACE_MS, (id) => rejected.push(id));
  t.same(failed, ['a']);
  t.same(
    await database.query(`SELECT id::text FROM vms WHERE hostname = 'b'`),
    rejected.map((id) => ({ id })),
  );
});
