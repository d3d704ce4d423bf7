// The doctor's findings about what holds up others, what is left behind and what roles may do, for
// the owner, the gateway's role and a superuser.

import pg from 'pg';
import t, { type Test } from 'tap';
import { diagnose, type Diagnosis } from '../../../../src/postgres/admin/doctor/doctor.js';
import { checkRelease } from '../../../../src/postgres/admin/doctor/releases.js';
import { checkWaits } from '../../../../src/postgres/admin/doctor/waits.js';
import { shareBackupLock } from '../../../../src/postgres/admin/backup-lock.js';
import { formatScratchName } from '../../../../src/postgres/admin/scratch-name.js';
import { withSession } from '../../../../src/postgres/admin/session.js';
import { startServer, type TestDatabase } from '../../../helpers/database.js';
import { runDbOn as db } from '../../../helpers/db-command.js';
import { until } from '../../../helpers/until.js';

const { createDatabase } = await startServer(t);

async function connect(t: Test, config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

const examine = (connection: pg.ClientConfig, auditDays = 0): Promise<Diagnosis> =>
  diagnose({ connection, queries: connection, isRemote: false, auditDays });
const ids = ({ findings }: Diagnosis): string[] => findings.map(({ id }) => id);

t.test('releases', async (t) => {
  const at = Date.parse('2026-12-01');
  const id = (version: number, nowMs = at) => checkRelease(version, nowMs).map((found) => found.id);
  t.same(id(150_020), []);
  t.same(id(150_019), ['server_outdated']);
  t.same(id(180_004), ['server_outdated']);
  t.same(id(180_009), [], 'a later one than this version knows');
  t.same(id(140_099), ['server_end_of_life']);
  t.same(id(150_020, Date.parse('2027-11-12')), ['server_end_of_life']);
  t.same(id(190_000), [], 'a version that came later');
});

t.test('commits that wait for the lock of NOTIFY', async (t) => {
  // A commit that waits for a standby keeps the lock.
  const { createDatabase } = await startServer(t, { settings: { max_wal_senders: '2' } });
  const database = await createDatabase();
  const admin = await connect(t, database.adminConfig);
  t.same(await withSession(database.config, 'test', (session) => checkWaits({ session })), []);
  await admin.query(`ALTER SYSTEM SET synchronous_standby_names = 'nowhere'`);
  await admin.query('SELECT pg_reload_conf()');
  await until('it is in force', async () => {
    const { rows } = await admin.query('SHOW synchronous_standby_names');
    return JSON.stringify(rows).includes('nowhere');
  });
  const clients = [await connect(t, database.config), await connect(t, database.config)];
  const commits = clients.map((client) => client.query('CREATE TEMP TABLE x (); NOTIFY test'));
  const [finding] = await until('one waits for the other', async () => {
    const found = await withSession(database.config, 'test', (session) => checkWaits({ session }));
    return found.length > 0 && found;
  });
  t.match(finding, {
    id: 'notify_lock_waits',
    severity: 'error',
    explanation: /^1 commits wait .*SyncRep/,
  });
  await admin.query('ALTER SYSTEM RESET synchronous_standby_names');
  await admin.query('SELECT pg_reload_conf()');
  await Promise.all(commits);
});

t.test('a session that stays in a transaction', async (t) => {
  const database = await createDatabase();
  const listener = await connect(t, { ...database.config, application_name: 'my listen' });
  await listener.query('BEGIN');
  await listener.query('LISTEN vm_updates');
  const find = (longSeconds: number) =>
    withSession(database.config, 'test', (session) => checkWaits({ session }, longSeconds));
  t.match(await find(0), [{ id: 'transaction_open', explanation: /my listen/ }]);
  t.same(await find(3_600), []);
  await listener.query('COMMIT');
  t.same(await find(0), []);
});

t.test('a replication slot that no client reads', async (t) => {
  const database = await createDatabase();
  const admin = await connect(t, database.adminConfig);
  await admin.query(`SELECT pg_create_physical_replication_slot('standby', true)`);
  t.match((await examine(database.config)).findings, [
    { id: 'slot_retains_wal', explanation: /standby \(not in use, \d+ MB\)/ },
  ]);
  await admin.query(`SELECT pg_drop_replication_slot('standby')`);
  t.same(ids(await examine(database.config)), []);
});

t.test('scratch databases that are left', async (t) => {
  const database = await createDatabase();
  const admin = await connect(t, database.adminConfig);
  const { rows } = await admin.query<{ oid: string }>(
    'SELECT oid FROM pg_database WHERE datname = current_database()',
  );
  const madeAt = new Date(Date.now() - 5 * 3_600_000);
  const name = formatScratchName(Number(rows[0]?.oid), madeAt, '0123456789ab');
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.query('CREATE DATABASE lablink_scratch_0123456789ab');
  const backup = await connect(t, database.config);
  await backup.query('BEGIN');
  await shareBackupLock(backup);
  const [running] = (await examine(database.config)).findings;
  t.match(running, { id: 'scratch_left', explanation: /: lablink_scratch_0123456789ab\.$/ });
  await backup.query('COMMIT');
  const [left] = (await examine(database.config)).findings;
  t.match(left?.explanation, `${name} (5 h old)`);
  await admin.query(`DROP DATABASE ${name}`);
  await admin.query('DROP DATABASE lablink_scratch_0123456789ab');
});

t.test('an audit that nothing prunes', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vm_events (at, op, hostname, crd_command_changed, database_user)
     VALUES (now() - interval '100 days', 'update', 'old', false, 'x')`,
  );
  t.match((await examine(database.config, 90)).findings, [
    { id: 'audit_unpruned', explanation: /events of 100 days, though AUDIT_DAYS is 90/ },
  ]);
  t.same(ids(await examine(database.config, 365)), []);
  t.same(ids(await examine(database.config, 0)), [], 'they are to be kept');
  await db(database, ['prune']);
  t.same(ids(await examine(database.config, 90)), []);
});

t.test('what PUBLIC may do', async (t) => {
  const database = await createDatabase();
  const admin = await connect(t, database.adminConfig);
  await admin.query('GRANT CREATE ON SCHEMA public TO PUBLIC');
  t.match((await examine(database.config)).findings, [
    { id: 'create_public', remedy: 'REVOKE CREATE ON SCHEMA public FROM PUBLIC.' },
  ]);
  await admin.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  await admin.query(`GRANT CONNECT ON DATABASE ${String(database.config.database)} TO PUBLIC`);
  t.match((await examine(database.config)).findings, [
    { id: 'connect_public', explanation: /and create temporary tables there/ },
  ]);
});

/** Creates the two roles of the shipped set-up: one owns, the other runs gateways. */
async function createGatewayRole(t: Test, { adminConfig }: TestDatabase): Promise<pg.Client> {
  const admin = await connect(t, adminConfig);
  await admin.query(`
    DO $$ BEGIN CREATE ROLE gateway LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    GRANT CONNECT ON DATABASE ${String(adminConfig.database)} TO gateway;
    GRANT SELECT, INSERT, UPDATE, DELETE ON vms, vm_deliveries, vm_presence, gateways, vm_enrolments TO gateway;
    GRANT SELECT ON vm_events, lablink_migrations, vms_version_seq TO gateway;
    GRANT USAGE ON SEQUENCE vms_id_seq TO gateway`);
  return admin;
}

t.test('each role gets a report, which says what it does not see', async (t) => {
  const database = await createDatabase();
  const admin = await createGatewayRole(t, database);
  for (const user of ['lablink', 'gateway', 'postgres']) {
    const { findings, passed, skipped } = await examine({ ...database.config, user });
    t.same(findings, [], user);
    for (const check of ['server', 'waits', 'leftovers', 'access', 'notifications', 'schema'])
      t.ok(passed.includes(check), `${user}: ${check}`);
    const unseen = skipped.find(({ check }) => check === 'sessions')?.why;
    if (user === 'postgres') t.equal(unseen, undefined);
    else t.match(unseen, `GRANT pg_read_all_stats TO ${user}`);
  }
  const gateway = await connect(t, { ...database.config, user: 'gateway' });
  const { rows } = await gateway.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const shown = await db(database, ['connections', '--json']);
  const pids = (JSON.parse(shown.stdout) as { pid: number }[]).map(({ pid }) => pid);
  t.ok(pids.includes(rows[0]?.pid ?? 0), 'the owner sees the session of another role');
  await admin.query('SELECT 1');
});

t.test('a connection is all that it cannot get', async (t) => {
  const database = await createDatabase();
  const admin = await createGatewayRole(t, database);
  await admin.query('ALTER ROLE gateway CONNECTION LIMIT 0');
  const diagnosis = await examine({ ...database.config, user: 'gateway', password: 'lablink' });
  t.same(ids(diagnosis), ['connections_taken', 'weak_password']);
  t.ok(diagnosis.skipped.length > 8);
  await admin.query('ALTER ROLE gateway CONNECTION LIMIT -1');
});

t.test('the exit code is that of the worst finding, and what passed is listed', async (t) => {
  const database = await createDatabase();
  t.match(await db(database, ['doctor']), {
    code: 0,
    stdout: /^passed: server, waits, leftovers/m,
  });
  await database.query('DROP INDEX idx_vms_status');
  t.match(await db(database, ['doctor']), { code: 1 });
  await database.query('ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger');
  const report = await db(database, ['doctor', '--json']);
  t.equal(report.code, 5);
  t.match(JSON.parse(report.stdout), { well: false, passed: Array, skipped: Array });
});
