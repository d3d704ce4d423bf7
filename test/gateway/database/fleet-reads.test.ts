// The reads of the feed, and the changes that its check detects.

import t, { type Test } from 'tap';
import pg from 'pg';
import { checkTable, readRows, sendHeartbeat } from '../../../src/gateway/database/fleet-reads.js';
import { SERVER_IDENTITY } from '../../../src/gateway/database/server-identity.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);

const insert = (database: TestDatabase, ...hostnames: string[]) =>
  database.query(`INSERT INTO vms (hostname, status) SELECT unnest($1::text[]), 'available'`, [
    hostnames,
  ]);

t.test(
  'rows are the same as in notifications, and the last version is read after them',
  async (t) => {
    const database = await createDatabase();
    const client = await listening(t, database, 'vm_updates');
    await insert(database, 'vm-1', 'vm-2', `it's "3"`);
    const heard = await until('all is heard', () => client.heard.length === 3 && client.heard);

    const all = await readRows(database.pool, { kind: 'all' });
    t.same(all.rows.map(({ row }) => row).sort(), [...heard].sort());
    for (const { hostname, version, status, row } of all.rows) {
      t.match(JSON.parse(row), { hostname, version, status });
      t.ok(version > 0 && version <= all.sequence);
    }

    const request = { kind: 'rows', hostnames: ['vm-2', `it's "3"`, 'nobody'] } as const;
    const some = await readRows(database.pool, request);
    t.same(some.rows.map(({ hostname }) => hostname).sort(), [`it's "3"`, 'vm-2']);
    t.same(await readRows(database.pool, { kind: 'rows', hostnames: [] }), {
      rows: [],
      sequence: all.sequence,
      unreadable: [],
    });
  },
);

t.test('a version of a rolled-back transaction counts, and a missing version is 0', async (t) => {
  const database = await createDatabase();
  await insert(database, 'vm-1');
  const before = await readRows(database.pool, { kind: 'all' });
  await database.query(`BEGIN; UPDATE vms SET status = 'failed'; ROLLBACK`);
  t.same(await readRows(database.pool, { kind: 'all' }), {
    rows: before.rows,
    sequence: before.sequence + 1,
    unreadable: [],
  });
  await database.query(`ALTER TABLE vms DISABLE TRIGGER USER; UPDATE vms SET version = NULL`);
  t.match(await readRows(database.pool, { kind: 'all' }), { rows: [{ version: 0 }] });
});

t.test('a row is read whatever its JSON columns contain', async (t) => {
  const database = await createDatabase();
  await database.query(`ALTER TABLE vms ADD COLUMN tags json`);
  await database.query(
    `INSERT INTO vms (hostname, status, tags) VALUES ('vm-1', 'in-use', '{"a":"\\u0000","assignment_id":1}')`,
  );
  const { rows } = await readRows(database.pool, { kind: 'all' });
  t.match(rows, [{ hostname: 'vm-1', assignmentId: /^[0-9a-f-]{36}$/ }]);
});

t.test('the check detects changes of rows', async (t) => {
  const database = await createDatabase();
  t.match(await checkTable(database.pool), { count: 0, maxVersion: 0, sumOfVersions: 0n });
  await database.query(`SELECT setval('vms_version_seq', 9007199254740000)`);
  await insert(database, 'vm-1', 'vm-2', 'vm-3');
  const { rows } = await readRows(database.pool, { kind: 'all' });
  const versions = rows.map(({ version }) => version);
  t.match(await checkTable(database.pool), {
    count: 3,
    maxVersion: Math.max(...versions),
    sumOfVersions: versions.reduce((sum, version) => sum + BigInt(version), 0n),
    triggersInForce: true,
  });
  t.ok(Math.max(...versions) > 9_007_199_254_740_000, 'beyond what their sum can be exact in');
  await database.query('DELETE FROM vms');
  t.match(await checkTable(database.pool), { count: 0, maxVersion: 0, sumOfVersions: 0n });
});

const HARM: readonly string[] = [
  'ALTER TABLE vms DISABLE TRIGGER vm_delete_trigger',
  'ALTER TABLE vms DISABLE TRIGGER ALL',
  'ALTER TABLE vms ENABLE TRIGGER vm_update_trigger',
  'ALTER TABLE vms ENABLE REPLICA TRIGGER vm_stamp_trigger',
  'DROP TRIGGER vm_truncate_trigger ON vms',
  'ALTER FUNCTION stamp_vm() SECURITY INVOKER',
  'DROP FUNCTION notify_vm_changes() CASCADE',
];

t.test('the check detects disabled or missing triggers', async (t) => {
  for (const harm of HARM) {
    const database = await createDatabase();
    const before = await checkTable(database.pool);
    t.equal(before.triggersInForce, true);
    t.same(await checkTable(database.pool), before, 'nothing changes by itself');
    await database.query(harm);
    const after = await checkTable(database.pool);
    t.equal(after.triggersInForce, false, harm);
    t.not(after.triggers, before.triggers);
  }
});

t.test('the check detects triggers that were changed and changed back', async (t) => {
  const database = await createDatabase();
  const before = await checkTable(database.pool);
  await database.query(
    `BEGIN; ALTER TABLE vms DISABLE TRIGGER vm_update_trigger;
     ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_update_trigger; COMMIT`,
  );
  const after = await checkTable(database.pool);
  t.equal(after.triggersInForce, true);
  t.not(after.triggers, before.triggers);
  await database.query(
    'CREATE TRIGGER another AFTER DELETE ON vms FOR EACH ROW EXECUTE FUNCTION notify_vm_changes()',
  );
  t.equal((await checkTable(database.pool)).triggersInForce, true, 'one more is no harm');
});

t.test('a heartbeat carries its text unchanged, and the identity of its server', async (t) => {
  const database = await createDatabase();
  const client = await listening(t, database, 'a "channel"');
  for (const payload of [`it's`, '', 'é'])
    await sendHeartbeat(database.pool, 'a "channel"', payload);
  const heard = await until('all is heard', () => client.heard.length === 3 && client.heard);
  const [server] = await database.query<{ identity: string }>(
    `SELECT ${SERVER_IDENTITY} AS identity`,
  );
  t.match(server?.identity, /^\d+\.\d+$/);
  t.same(
    heard,
    [`it's`, '', 'é'].map((text) => `${text} ${server?.identity}`),
  );
});

async function listening(t: Test, { config }: TestDatabase, channel: string) {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  const heard: string[] = [];
  client.on('notification', ({ payload = '' }) => heard.push(payload));
  await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
  return { heard };
}
