// A database that lets the gateway connect and refuses to let it read or write the table: the feed
// is not live, /health/ready says why, and clients keep what they had until it is mended.

import pg from 'pg';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { migrate } from '../../src/postgres/migrations/migrate.js';
import { createApi } from '../helpers/api.js';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { until } from '../helpers/until.js';

interface Refusal {
  readonly name: string;
  readonly spoil: string;
  readonly mend: string;
  readonly reason: string;
}

const REFUSALS: readonly Refusal[] = [
  {
    name: 'row security hides the rows',
    spoil: 'ALTER TABLE vms ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    mend: 'ALTER TABLE vms DISABLE ROW LEVEL SECURITY',
    reason: 'Row security hides rows',
  },
  {
    name: 'the right to read is missing',
    spoil: 'REVOKE SELECT ON vms FROM lablink',
    mend: 'GRANT SELECT ON vms TO lablink',
    reason: 'lacks a right',
  },
  {
    name: 'the right to the functions of the schema is missing',
    spoil: 'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, lablink',
    mend: 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO lablink',
    reason: 'lacks a right',
  },
  {
    name: 'a column that changes need is renamed',
    spoil: 'ALTER TABLE vms RENAME email TO person',
    mend: 'ALTER TABLE vms RENAME person TO email',
    reason: 'lacks columns: rename them back, or add them (email)',
  },
  {
    name: 'a view is in place of the table',
    spoil:
      'ALTER TABLE vms RENAME TO base_vms; CREATE VIEW vms AS SELECT * FROM base_vms; GRANT ALL ON vms TO lablink',
    mend: 'DROP VIEW vms; ALTER TABLE base_vms RENAME TO vms',
    reason: 'vms is no table',
  },
  {
    name: 'the role is read-only',
    spoil: 'ALTER ROLE lablink SET default_transaction_read_only = on',
    mend: 'ALTER ROLE lablink RESET default_transaction_read_only',
    reason: 'read-only',
  },
];

for (const { name, spoil, mend, reason } of REFUSALS) {
  t.test(name, async (t) => {
    const { database, gateway, admin } = await start(t);
    const superuser = new pg.Client(database.adminConfig);
    await superuser.connect();
    t.teardown(() => superuser.end());
    const known = admin.messages.length;
    await superuser.query(spoil);
    t.match(await gateway.notReady(), reason);
    const since = JSON.stringify(admin.messages.slice(known));
    t.notMatch(since, /"delete"|"absent"/, 'no client was sent a deletion');
    await superuser.query(mend);
    await gateway.ready();
  });
}

t.test('a session holds a lock on the table', async (t) => {
  const { database, gateway } = await start(t);
  const holder = await database.pool.connect();
  await holder.query('BEGIN; LOCK TABLE vms IN ACCESS EXCLUSIVE MODE');
  t.match(await gateway.notReady(), 'holds a lock');
  await holder.query('ROLLBACK');
  holder.release();
  await gateway.ready();
});

t.test('a read-only database answers writes as such, and reads as before', async (t) => {
  const { database, gateway } = await start(t);
  const api = await createApi(gateway);
  const superuser = new pg.Client(database.adminConfig);
  await superuser.connect();
  t.teardown(() => superuser.end());
  await superuser.query('ALTER ROLE lablink SET default_transaction_read_only = on');
  t.match(await gateway.notReady(), 'read-only');
  // Sessions that were opened before keep the former setting.
  await superuser.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lablink'`,
  );
  for (const [method, path, body] of [
    ['PUT', '/v1/vms/vm-2'],
    ['PATCH', '/v1/vms/vm-1', { status: 'failed' }],
    ['DELETE', '/v1/vms/vm-1'],
    ['DELETE', '/v1/vms?confirm=1'],
    ['POST', '/v1/assignments', { email: 'ada@x.y' }],
  ] as const) {
    await until(`${method} ${path} is refused`, async () => {
      const { status, json } = await api(method, path, body);
      return status === 503 && (json as { code?: string }).code === 'database_read_only';
    });
  }
  t.equal((await api('GET', '/v1/vms/vm-1')).status, 200);
  await superuser.query('ALTER ROLE lablink RESET default_transaction_read_only');
  await gateway.ready();
  await until('writes are taken again', async () => {
    return (await api('PUT', '/v1/vms/vm-2')).status < 300;
  });
});

t.test('the role may have fewer connections than the gateway needs', async (t) => {
  const { database, gateway } = await start(t);
  const superuser = new pg.Client(database.adminConfig);
  await superuser.connect();
  t.teardown(() => superuser.end());
  await superuser.query('ALTER ROLE lablink CONNECTION LIMIT 3');
  await superuser.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lablink'`,
  );
  await until('it is not ready for this reason', async () =>
    (await gateway.notReady()).includes('no room for this role'),
  );
  await superuser.query('ALTER ROLE lablink CONNECTION LIMIT -1');
  await gateway.ready();
});

t.test('the schema disappears, and comes back', async (t) => {
  const database = await startDatabase(t);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const lines: { msg: string; err?: unknown; repeated?: number }[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as (typeof lines)[number]);
  const gateway = await startGateway(t, database, { log: pino({ level: 'warn' }, { write }) });
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  await agent.nextMessage('status');
  await database.query('DROP SCHEMA public CASCADE');
  t.match(await gateway.notReady(), /missing|could not be read|cannot be read/);
  await until('what fails again is counted', () => lines.some(({ repeated = 0 }) => repeated > 1));
  const messages = new Set(lines.map(({ msg }) => msg));
  for (const message of messages) {
    const withError = lines.filter(({ msg, err }) => msg === message && err !== undefined);
    t.ok(withError.length <= 2, `${message}: ${withError.length} lines with their error`);
  }
  await database.query('CREATE SCHEMA public');
  await migrate(database.config, { mode: 'apply' });
  await gateway.ready();
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use')`);
  await agent.nextMessage('assignment');
});

async function start(t: Test) {
  const database = await startDatabase(t);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const gateway = await startGateway(t, database);
  const admin = await gateway.connect('/v1/vms', 'admin');
  return { database, gateway, admin };
}
