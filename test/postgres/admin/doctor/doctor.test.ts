// Each finding of the doctor, caused on a real server; and no finding on a healthy one.

import { existsSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t, { type Test } from 'tap';
import {
  diagnose,
  type DoctorOptions,
  type FindingId,
} from '../../../../src/postgres/admin/doctor/doctor.js';
import { checkVersion } from '../../../../src/postgres/admin/doctor/server.js';
import { noPgBouncer, startPgBouncer } from '../../../faults/pgbouncer.js';
import { startStandby } from '../../../faults/standby.js';
import { installedBinDirs, startServer, type TestDatabase } from '../../../helpers/database.js';
import { startProxy } from '../../../faults/proxy.js';
import { until } from '../../../helpers/until.js';

const server = await startServer(t, { settings: { max_connections: '30' } });
const { createDatabase } = server;

/** These depend on the server that is installed here, and on the day. */
const RELEASES: readonly FindingId[] = ['server_outdated', 'server_end_of_life'];

/** Runs the checks as the superuser, who may see everything, unless `options` override that. */
async function found(database: TestDatabase, options: Partial<DoctorOptions> = {}) {
  const connection = options.connection ?? database.adminConfig;
  const diagnosis = await diagnose({
    connection,
    queries: connection,
    isRemote: false,
    ...options,
  });
  for (const { explanation, remedy } of diagnosis.findings) {
    if (explanation === '' || remedy === '') throw new Error('a finding without words');
  }
  return diagnosis.findings.filter(({ id }) => !RELEASES.includes(id));
}

async function ids(database: TestDatabase, options?: Partial<DoctorOptions>): Promise<FindingId[]> {
  return (await found(database, options)).map(({ id }) => id);
}

/** As the superuser. */
async function asAdmin(t: Test, { adminConfig }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client(adminConfig);
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

t.test('a healthy database has no findings', async (t) => {
  const database = await createDatabase();
  t.same(await ids(database), []);
  const asOwner = await diagnose({
    connection: database.config,
    queries: database.config,
    isRemote: false,
  });
  t.same(asOwner.findings, []);
  t.match(
    asOwner.skipped,
    [{ check: 'hba', why: /permission denied/ }],
    'a check that needs more rights is skipped',
  );
});

t.test('the schema', async (t) => {
  const WRONG: Readonly<Record<string, readonly [FindingId, string, RegExp]>> = {
    'a trigger that is disabled': [
      'triggers_changed',
      'ALTER TABLE vms DISABLE TRIGGER vm_stamp_trigger',
      /vm_stamp_trigger is disabled/,
    ],
    'a trigger that a replica does not fire': [
      'triggers_changed',
      'ALTER TABLE vms ENABLE TRIGGER vm_stamp_trigger',
      /vm_stamp_trigger is not ALWAYS/,
    ],
    'a trigger that should fire on replicas alone': [
      'triggers_changed',
      'ALTER TABLE vms ENABLE TRIGGER vm_audit_trigger',
      /vm_audit_trigger is not REPLICA/,
    ],
    'a trigger that should not fire on replicas': [
      'triggers_changed',
      'ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_update_set_trigger',
      /vm_update_set_trigger is not for the origin alone/,
    ],
    'a trigger that is missing': [
      'triggers_changed',
      'DROP TRIGGER vm_delete_trigger ON vms',
      /vm_delete_trigger is missing/,
    ],
    'a trigger of another kind': [
      'triggers_changed',
      `DROP TRIGGER vm_update_trigger ON vms; CREATE TRIGGER vm_update_trigger AFTER INSERT ON vms
       FOR EACH ROW EXECUTE FUNCTION notify_vm_changes(); ALTER TABLE vms ENABLE ALWAYS TRIGGER vm_update_trigger`,
      /vm_update_trigger is another one/,
    ],
    'the guide’s function instead of the shipped one': [
      'triggers_changed',
      `CREATE OR REPLACE FUNCTION notify_vm_changes() RETURNS trigger AS $$ BEGIN
       PERFORM pg_notify('vm_updates', row_to_json(NEW)::text); RETURN NEW; END; $$ LANGUAGE plpgsql`,
      /notify_vm_changes\(\) is another one/,
    ],
    'a column that was renamed': [
      'columns_missing',
      'ALTER TABLE vms RENAME email TO person',
      /lacks the columns email/,
    ],
    'a view in place of the table': [
      'columns_missing',
      'ALTER TABLE vms RENAME TO base_vms; CREATE VIEW vms AS SELECT * FROM base_vms',
      /vms is no table/,
    ],
    'an index that was dropped': ['indexes_missing', 'DROP INDEX idx_vms_email', /idx_vms_email/],
    'ids that would collide': [
      'sequence_behind',
      `INSERT INTO vms (hostname, status) VALUES ('a', 'x'), ('b', 'x'); SELECT setval('vms_id_seq', 1)`,
      /vms_id_seq/,
    ],
    'a migration that is missing': [
      'schema_not_current',
      'DELETE FROM lablink_migrations WHERE number = (SELECT max(number) FROM lablink_migrations)',
      /lacks/,
    ],
    'rows that are nearly too large': [
      'payload_size',
      `INSERT INTO vms (hostname, status, crd_command) VALUES ('a', 'x', repeat('x', 7500))`,
      /1 rows are near/,
    ],
    'a database that every role may connect to': [
      'connect_public',
      `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$`,
      /LISTEN and NOTIFY/,
    ],
  };
  for (const [name, [id, sql, words]] of Object.entries(WRONG)) {
    const database = await createDatabase();
    await database.query(sql);
    t.match(await found(database), [{ id, explanation: words }], name);
  }
  const empty = await createDatabase({ migrate: false });
  t.match(await ids(empty), ['schema_not_current'], 'a database without any schema');
});

t.test('passwords', async (t) => {
  const database = await createDatabase();
  const withPassword = (password: string) => ({
    connection: { ...database.config, password },
  });
  for (const weak of ['lablink', 'short', 'password', 'changeme']) {
    t.same(await ids(database, withPassword(weak)), ['weak_password'], weak);
  }
  t.same(await ids(database, withPassword('a long one, of its own')), []);
  const admin = await asAdmin(t, database);
  for (const encryption of ['scram-sha-256', 'md5']) {
    await admin.query(
      `SET password_encryption = '${encryption}'; ALTER ROLE lablink PASSWORD 'lablink'`,
    );
    t.match(
      await found(database),
      [{ id: 'weak_password', explanation: /of lablink/ }],
      encryption,
    );
  }
  await admin.query(`ALTER ROLE lablink PASSWORD 'wq8Zk-something-long'`);
  t.same(await ids(database), []);
});

t.test('a connection without TLS to a remote server', async (t) => {
  const database = await createDatabase();
  const proxy = await startProxy(t, database.config);
  const connection = proxy.through(database.adminConfig);
  t.same(await ids(database, { connection }), [], 'on this machine');
  t.same(await ids(database, { connection, isRemote: true }), ['no_tls']);
});

t.test('clocks', async (t) => {
  const database = await createDatabase();
  const wrongBy = (ms: number) => ({ nowMs: () => Date.now() + ms });
  t.same(await ids(database, wrongBy(500)), []);
  t.match(await found(database, wrongBy(60_000)), [{ id: 'clock_skew', explanation: /behind/ }]);
  t.match(await found(database, wrongBy(-60_000)), [{ id: 'clock_skew', explanation: /ahead/ }]);
});

t.test('pg_hba.conf', async (t) => {
  const database = await createDatabase();
  const admin = await asAdmin(t, database);
  const { rows } = await admin.query<{ hba_file: string }>('SHOW hba_file');
  // The server may have been started with another path of its folder.
  const file = join(String(database.config.host), rows[0]?.hba_file.split('/').at(-1) ?? '');
  const path = existsSync(file) ? file : (rows[0]?.hba_file ?? '');
  const original = await readFile(path, 'utf8');
  t.teardown(() => writeFile(path, original));
  const RULES: Readonly<Record<string, readonly FindingId[]>> = {
    'host all all 0.0.0.0/0 md5': ['hba_md5', 'hba_open'],
    'host all all ::/0 scram-sha-256': ['hba_open'],
    'host all all all scram-sha-256': ['hba_open'],
    'host all all 0.0.0.0/0 reject': [],
    'host all all 10.0.0.0/8 trust': ['hba_trust'],
    'hostssl all all 10.0.0.0/8 password': ['hba_trust'],
    'host all all 10.0.0.0/8 scram-sha-256': [],
    'host all all nonsense': ['hba_unreadable'],
  };
  for (const [rule, expected] of Object.entries(RULES)) {
    await writeFile(path, original);
    await appendFile(path, `${rule}\n`);
    t.same(await ids(database), expected, rule);
  }
});

t.test('settings that need a restart', async (t) => {
  const database = await createDatabase();
  const admin = await asAdmin(t, database);
  await admin.query('ALTER SYSTEM SET max_locks_per_transaction = 200');
  await admin.query('SELECT pg_reload_conf()');
  const [finding] = await until('the server has read its configuration', async () => {
    const findings = await found(database);
    return findings.length > 0 && findings;
  });
  t.match(finding, {
    id: 'pending_restart',
    explanation: /max_locks_per_transaction \(still 64\)/,
  });
  await admin.query('ALTER SYSTEM SET max_locks_per_transaction = 64');
  await admin.query('SELECT pg_reload_conf()');
  await until('nothing is pending', async () => (await ids(database)).length === 0);
});

t.test('commands of assignments in the log', async (t) => {
  const database = await createDatabase();
  const admin = await asAdmin(t, database);
  const set = async (setting: string): Promise<void> => {
    const { database: name = '' } = database.adminConfig;
    await admin.query(`ALTER DATABASE ${pg.escapeIdentifier(name)} SET ${setting}`);
  };
  await set('log_parameter_max_length = -1');
  t.same(await ids(database), [], 'no statement is logged');
  await set('log_min_duration_statement = 1000');
  const [finding] = await found(database);
  t.match(finding, { id: 'values_logged', explanation: /\(log_parameter_max_length\)/ });
  await set('log_parameter_max_length = 0');
  t.same(await ids(database), []);
  await set('log_parameter_max_length_on_error = 100');
  t.match(await found(database), [{ id: 'values_logged', explanation: /_on_error\)/ }]);
});

t.test('connections that run out', async (t) => {
  const database = await createDatabase();
  const admin = await asAdmin(t, database);
  const count = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'`;
  const taken = async () => (await admin.query<{ n: number }>(count)).rows[0]?.n ?? 0;
  // Some of the used connections may be about to end.
  const findings = await until('so many are taken', async () => {
    while ((await taken()) < 22) await asAdmin(t, database);
    const near = await found(database);
    return near.length > 0 && near;
  });
  t.match(findings, [{ id: 'connections_near_limit', explanation: /of 27/ }]);
});

t.test('a server that is too old', async (t) => {
  t.match(checkVersion({ version: 12 }), [{ id: 'server_too_old', explanation: /12/ }]);
  t.same(checkVersion({ version: 13 }), []);
});

t.test('LISTEN through a transaction pooler', { skip: noPgBouncer }, async (t) => {
  const database = await createDatabase();
  const pooled = await startPgBouncer(t, database, 5);
  t.same(await ids(database, { connection: pooled, queries: pooled }), ['listen_deaf']);
  t.same(await ids(database, { connection: database.config, queries: pooled }), []);
});

const tools = installedBinDirs().find(({ binDir }) => existsSync(join(binDir, 'pg_basebackup')));
const noTools = tools === undefined && 'there is no pg_basebackup';

t.test('a standby', { skip: noTools }, async (t) => {
  const binDir = tools?.binDir ?? '';
  const primary = await (await startServer(t, { binDir })).createDatabase();
  const standby = await startStandby(t, primary, binDir);
  t.match(await ids(primary, { connection: standby.config }), ['standby']);
});

const newest = installedBinDirs().find(({ majorVersion }) => majorVersion >= 17);
const noQueueSetting = newest === undefined && 'before PostgreSQL 17 the queue takes 8 GB to fill';

t.test('a queue that no session reads', { skip: noQueueSetting }, async (t) => {
  const small = await startServer(t, {
    binDir: newest?.binDir ?? '',
    settings: { max_notify_queue_pages: '64' },
  });
  const database = await small.createDatabase();
  const listener = await asAdmin(t, database);
  await listener.query(`SET application_name = 'a listener in a transaction'; LISTEN vm_updates`);
  await listener.query('BEGIN; SELECT 1');
  await database.query(
    `SELECT pg_notify('vm_updates', n || repeat('x', 7000)) FROM generate_series(1, 20) n`,
  );
  t.match(await found(database), [
    { id: 'queue_filling', explanation: /[23]\d % full.*a listener in a transaction/ },
  ]);
});
