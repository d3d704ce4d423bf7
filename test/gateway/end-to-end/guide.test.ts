// The SQL of the database guide, word for word, beside the running gateway. Every socket ends at
// the state of the table, whatever an operator runs.

import pg from 'pg';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { FleetModel, VmModel } from '../../helpers/model.js';
import { until } from '../../helpers/until.js';

const HOSTNAME = 'i-0abc123def456';

const ASSIGN = `
  INSERT INTO vms (id, hostname, email, status, crd_command, created_at, updated_at)
  VALUES (1, 'i-0abc123def456', 'user@example.com', 'in-use', 'python train.py',
          '2025-01-15 10:30:00', '2025-01-15 10:35:00')`;

const MARK_AVAILABLE = `
-- Mark VM as available
UPDATE vms
SET status = 'available', email = NULL, crd_command = NULL, updated_at = NOW()
WHERE hostname = 'i-0abc123def456';`;

const MARK_FAILED = `
-- Mark VM as failed
UPDATE vms
SET status = 'failed', updated_at = NOW()
WHERE hostname = 'i-0abc123def456';`;

const MARK_IN_USE = `
-- In another session, make a change:
UPDATE vms SET status = 'in-use' WHERE id = 1;`;

const DELETE = `DELETE FROM vms WHERE hostname = 'i-0abc123def456';`;

const CLEAR = `
-- Use with caution!
TRUNCATE TABLE vms;`;

const KILL_IDLE = `
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = 'lablink_db'
  AND state = 'idle'
  AND state_change < NOW() - INTERVAL '10 minutes';`;

const MAINTENANCE = [
  `VACUUM ANALYZE vms;`,
  `VACUUM FULL vms;`,
  `REINDEX TABLE vms;`,
  `SELECT pg_size_pretty(pg_database_size('lablink_db'));`,
];

const { createDatabase } = await startServer(t);
const database = await createDatabase({ name: 'lablink_db' });
// Only notifications may update the clients: the check would correct a missing one.
const gateway = await startGateway(t, database, { timing: { checkIntervalMs: 3_600_000 } });

/**
 * Connects an agent, a dashboard and an admin; the returned function waits until all of them know
 * the table.
 */
async function watchAll(t: Test, gateway: TestGateway) {
  const agent = new VmModel(
    await gateway.connect(`/v1/vms/${HOSTNAME}`, 'agent', HOSTNAME),
    HOSTNAME,
  );
  const dashboard = FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard'));
  const admin = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  const models = [agent, dashboard, admin];
  t.teardown(() => Promise.all(models.map(({ client }) => client.close())));
  const settled = () => Promise.all(models.map((model) => model.untilTable(database)));
  await settled();
  return { agent, dashboard, admin, settled };
}

t.test('every socket ends at the state of the table after each change of the guide', async (t) => {
  const { agent, admin, settled } = await watchAll(t, gateway);
  t.equal(agent.vm, null);

  await database.query(ASSIGN);
  await settled();
  t.match(agent.vm, { status: 'in-use', crd_command: 'python train.py' });
  const assigned = agent.vm?.assignment_id;
  t.type(assigned, 'string');

  await database.query(MARK_AVAILABLE);
  await settled();
  t.match(agent.vm, { status: 'available', email: null, crd_command: null, assignment_id: null });

  await database.query(MARK_IN_USE);
  await settled();
  t.match(agent.vm, { status: 'in-use' });
  t.not(agent.vm?.assignment_id, assigned, 'another assignment');

  await database.query(MARK_FAILED);
  await settled();
  t.match(agent.vm, { status: 'failed' });

  await database.query(DELETE);
  await settled();
  t.equal(agent.vm, null);

  await database.query(`INSERT INTO vms (hostname, status) VALUES ('${HOSTNAME}', 'available')`);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 500) n`,
  );
  await settled();
  t.equal(admin.rows.size, 501);
  await database.query(CLEAR);
  await settled();
  t.equal(admin.rows.size, 0);
  t.equal(agent.vm, null);
});

t.test('maintenance disturbs no client', async (t) => {
  const { admin, settled } = await watchAll(t, gateway);
  await database.query(ASSIGN);
  await settled();
  for (const statement of MAINTENANCE) await database.query(statement);
  await database.query(MARK_FAILED);
  await settled();
  t.equal(admin.rows.size, 1);
  await database.query(DELETE);
});

t.test('killing idle connections loses no change', async (t) => {
  const { agent, dashboard, settled } = await watchAll(t, gateway);
  await database.query(ASSIGN);
  await settled();
  const [listening] = await listeners(database);
  t.same(await database.query(KILL_IDLE), [], 'nobody is idle for so long');
  t.same(await listeners(database), [listening]);

  // The LISTEN connection is idle by nature: after ten quiet minutes the query ends it too.
  await database.query(`SELECT pg_terminate_backend($1)`, [listening]);
  await database.query(MARK_AVAILABLE);
  await settled();
  t.match(agent.vm, { status: 'available' });
  await until('another connection listens', async () => {
    const now = await listeners(database);
    return now.length === 1 && now[0] !== listening;
  });
  t.equal(dashboard.snapshots, 1, 'nobody needed a new snapshot');

  // All connections of the gateway, however short they have been idle. The test's own connections
  // are spared, because the test does not reconnect.
  await database.query(
    KILL_IDLE.replace(
      `state_change < NOW() - INTERVAL '10 minutes'`,
      `application_name LIKE 'lablink-gateway%'`,
    ),
  );
  await database.query(MARK_FAILED);
  await settled();
  t.match(agent.vm, { status: 'failed' });
  await database.query(DELETE);
});

t.test('a plain LISTEN client of the guide works beside the gateway', async (t) => {
  const heard: string[] = [];
  const client = new pg.Client(database.config);
  await client.connect();
  t.teardown(() => client.end());
  client.on('notification', ({ payload = '' }) => heard.push(payload));
  await client.query('LISTEN vm_updates;');

  const rows: string[] = [];
  for (const change of [ASSIGN, MARK_AVAILABLE, MARK_FAILED]) {
    await database.query(change);
    const [row] = await database.query<{ text: string }>(
      'SELECT row_to_json(v)::text AS text FROM vms v',
    );
    rows.push(row?.text ?? '');
  }
  await database.query(DELETE);
  await database.query(CLEAR);
  await until('all rows were heard', () => heard.length >= rows.length);
  await client.query('SELECT 1');
  t.same(heard, rows, 'the rows as JSON, and nothing else');
});

async function listeners(database: TestDatabase): Promise<number[]> {
  const rows = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%listen' AND datname = current_database()`,
  );
  return rows.map(({ pid }) => pid);
}
