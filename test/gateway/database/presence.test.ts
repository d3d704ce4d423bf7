// Leases and presence: which rows count, late writes, and the removal of old rows.

import t from 'tap';
import {
  acquireLease,
  releaseLease,
  readPresence,
  renewLease,
  writePresence,
  type PresenceWrite,
} from '../../../src/gateway/database/presence.js';
import { pruneOldRows } from '../../../src/gateway/database/retention.js';
import type { Presence } from '../../../src/protocol/presence.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';

const { createDatabase } = await startServer(t);
const LEASE_MS = 60_000;

const agent = (hostname: string, online = true, agoMs = 0): PresenceWrite => ({
  agents: [{ hostname, online, agoMs }],
  pushes: [],
  payloads: [],
});

async function setUp() {
  const database = await createDatabase();
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
  const { pool } = database;
  /** Reads the presence of an agent, or of all. */
  const known = async (hostname = 'a'): Promise<Partial<Presence> | undefined> => {
    const [one] = await readPresence(pool, [hostname]);
    const all = await readPresence(pool, undefined);
    const same = all.find((other) => other.hostname === hostname);
    t.same(same, one, 'the same among all');
    return one && (JSON.parse(one.presence) as Presence);
  };
  return { database, pool, known };
}

/** Ends the lease of a gateway now, as after a kill and the lease's duration. */
const endLease = (database: TestDatabase, instance: string, ago = '1 second') =>
  database.query(
    `UPDATE gateways SET lease_until = now() - $2::interval,
       renewed_at = now() - $2::interval - interval '5 seconds' WHERE instance = $1`,
    [instance, ago],
  );

t.test('an agent is online while at least one live gateway has it', async (t) => {
  const { database, pool, known } = await setUp();
  t.equal(await known(), undefined, 'nobody has seen it');
  t.match(await acquireLease(pool, 'g-1', LEASE_MS), {
    gateways: ['g-1'],
    nextExpiryMs: undefined,
  });
  const standing = await acquireLease(pool, 'g-2', LEASE_MS);
  t.same(standing.gateways.toSorted(), ['g-1', 'g-2']);
  t.ok((standing.nextExpiryMs ?? 0) > LEASE_MS / 2);

  t.ok(await writePresence(pool, 'g-1', agent('a')));
  const first = await known();
  t.match(first, { online: true, duplicate: false });
  t.ok(await writePresence(pool, 'g-2', agent('a')));
  const both = await known();
  t.match(both, { online: true, duplicate: true });
  t.ok(String(both?.since) > String(first?.since), 'since it came last');
  await endLease(database, 'g-1');
  t.match(await known(), { online: true, duplicate: false, since: both?.since });
  await writePresence(pool, 'g-2', agent('a', false));
  const away = await known();
  t.match(away, { online: false, duplicate: false });
  t.ok(String(away?.since) > String(both?.since), 'away since it left');
});

t.test('the agents of a dead gateway are offline from the end of its lease', async (t) => {
  const { database, pool, known } = await setUp();
  await acquireLease(pool, 'g-1', LEASE_MS);
  await writePresence(pool, 'g-1', agent('a', true, 3_600_000));
  await endLease(database, 'g-1');
  const [row] = await database.query<{ at: string }>(
    `SELECT to_char(lease_until, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at FROM gateways`,
  );
  t.match(await known(), { online: false, since: row?.at });
});

t.test('a late write, after the end of the lease, has no effect', async (t) => {
  const { database, pool, known } = await setUp();
  await acquireLease(pool, 'old-1', LEASE_MS);
  await writePresence(pool, 'old-1', agent('a'));
  await endLease(database, 'old-1');
  await acquireLease(pool, 'new-1', LEASE_MS);
  await writePresence(pool, 'new-1', agent('a'));
  const here = await known();
  const rows = () => database.query('SELECT * FROM vm_presence ORDER BY gateway');
  const before = await rows();
  t.notOk(await writePresence(pool, 'old-1', agent('a', false)), 'the old one is told');
  t.notOk(await writePresence(pool, 'old-1', agent('b')));
  t.equal(
    await renewLease(pool, 'old-1', LEASE_MS, true),
    undefined,
    'its lease does not come back',
  );
  await releaseLease(pool, 'old-1');
  t.same(await rows(), before);
  t.same(await known(), here);
  t.notOk(await writePresence(pool, 'never-1', agent('a')), 'nor does one that never was');
});

t.test('a released lease ends immediately', async (t) => {
  const { pool, known } = await setUp();
  await acquireLease(pool, 'g-1', LEASE_MS);
  await writePresence(pool, 'g-1', agent('a'));
  await releaseLease(pool, 'g-1');
  t.match(await known(), { online: false });
});

t.test('a renewal sets the watermark to the previous renewal', async (t) => {
  const { database, pool } = await setUp();
  await acquireLease(pool, 'g-1', LEASE_MS);
  const times = async () => {
    const [row] = await database.query<{ renewed: string; complete: string }>(
      'SELECT renewed_at::text AS renewed, complete_until::text AS complete FROM gateways',
    );
    return row;
  };
  const entered = await times();
  await renewLease(pool, 'g-1', LEASE_MS, false);
  const incomplete = await times();
  t.equal(incomplete?.complete, entered?.complete);
  t.not(incomplete?.renewed, entered?.renewed);
  await renewLease(pool, 'g-1', LEASE_MS, true);
  t.equal((await times())?.complete, incomplete?.renewed);
});

t.test('a renamed, deleted or new row has the agent of its hostname', async (t) => {
  const { database, pool, known } = await setUp();
  await acquireLease(pool, 'g-1', LEASE_MS);
  await writePresence(pool, 'g-1', agent('a'));
  await database.query(`UPDATE vms SET status = 'in-use', email = 'x', hostname = 'b'`);
  t.match(await known('a'), { online: true, delivery: null }, 'an agent without a row');
  const renamed = await known('b');
  t.match(renamed, { online: false, since: null, delivery: { made_at: /Z$/ } });
  await database.query(`UPDATE vms SET hostname = 'a'`);
  t.match(await known('a'), { online: true, delivery: renamed?.delivery });
  t.equal(await known('b'), undefined);
  await database.query('DELETE FROM vms');
  t.match(await known('a'), { online: true, delivery: null });
  await writePresence(pool, 'g-1', agent('a', false));
  t.equal(await known('a'), undefined, 'neither row nor agent');
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'available')`);
  t.match(await known('a'), { online: false, since: /Z$/ }, 'it is known again');
});

t.test('an assignment keeps the time of its first push', async (t) => {
  const { database, pool, known } = await setUp();
  await acquireLease(pool, 'g-1', LEASE_MS);
  await database.query(`UPDATE vms SET status = 'in-use'`);
  const id = (await known())?.delivery?.assignment_id ?? '';
  const push = (agoMs: number): PresenceWrite => ({
    agents: [],
    pushes: [{ assignmentId: id, agoMs }],
    payloads: [],
  });
  await writePresence(pool, 'g-1', push(0));
  const first = await known();
  t.match(first?.delivery, { pushed_at: /Z$/ });
  await writePresence(pool, 'g-1', push(60_000));
  t.same(await known(), first);
});

t.test('a write notifies listeners, and notifies none if the lease has ended', async (t) => {
  const { database, pool } = await setUp();
  const client = await database.pool.connect();
  const heard: (string | undefined)[] = [];
  client.on('notification', ({ payload }) => heard.push(payload));
  await client.query('LISTEN vm_presence');
  await acquireLease(pool, 'g-1', LEASE_MS);
  await writePresence(pool, 'g-1', { ...agent('a'), payloads: ['one', 'two'] });
  await endLease(database, 'g-1');
  await writePresence(pool, 'g-1', { ...agent('a'), payloads: ['late'] });
  await client.query('SELECT pg_notify($1, $2)', ['vm_presence', 'last']);
  await client.query('UNLISTEN *');
  client.release();
  t.same(heard, ['one', 'two', 'last']);
});

t.test('only rows that are old and not current are removed', async (t) => {
  const { database, pool, known } = await setUp();
  for (const instance of ['dead-1', 'dead-2', 'empty-1', 'g-1']) {
    await acquireLease(pool, instance, LEASE_MS);
  }
  await writePresence(pool, 'dead-1', agent('a', true, 10_000_000));
  await writePresence(pool, 'dead-1', agent('superseded', true, 10_000_000));
  await writePresence(pool, 'dead-2', agent('superseded', false, 10_000_000));
  await writePresence(pool, 'g-1', agent('superseded', true));
  await writePresence(pool, 'g-1', agent('left', false, 100 * 24 * 3_600_000));
  await writePresence(pool, 'g-1', agent('here', true, 100 * 24 * 3_600_000));
  for (const instance of ['dead-1', 'dead-2', 'empty-1'])
    await endLease(database, instance, '2 hours');
  const before = await known('a');
  await pruneOldRows(pool, 90);
  await pruneOldRows(pool, 90);
  t.same(
    await database.query('SELECT hostname, gateway FROM vm_presence ORDER BY hostname, gateway'),
    [
      { hostname: 'a', gateway: 'dead-1' },
      { hostname: 'here', gateway: 'g-1' },
      { hostname: 'superseded', gateway: 'g-1' },
    ],
  );
  t.same(
    await database.query('SELECT instance FROM gateways ORDER BY instance'),
    [{ instance: 'dead-1' }, { instance: 'g-1' }],
    'nor gateways without rows',
  );
  t.same(await known('a'), before, 'what was last seen of one who is away is kept');
});
