// Retention: old rows go in bounded steps, one gateway at a time, and only as far as the rights of
// the role reach.

import pg from 'pg';
import t, { type Test } from 'tap';
import { pruneOldRows, STEP_ROWS } from '../../../src/gateway/database/retention.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { runDbOn as db } from '../../helpers/db-command.js';
import { startGateway } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);

/** Creates a database with so many events that are 100 days old, and two of today. */
async function fill(old: number): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vm_events (at, op, hostname, crd_command_changed, database_user)
     SELECT now() - interval '100 days', 'update', 'old', false, 'x' FROM generate_series(1, ${old})`,
  );
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('a', 'x'), ('b', 'x')`);
  return database;
}

const count = async (database: TestDatabase): Promise<number> =>
  (await database.query<{ n: number }>('SELECT count(*)::int AS n FROM vm_events'))[0]?.n ?? 0;

const createPool = (t: Test, config: pg.ClientConfig): pg.Pool => {
  const pool = new pg.Pool(config);
  t.teardown(() => pool.end());
  return pool;
};

t.test('a step is bounded, and stops at what is young', async (t) => {
  const database = await fill(STEP_ROWS + 5);
  const pool = createPool(t, database.config);
  t.match(await pruneOldRows(pool, 0), { removed: { vm_events: undefined } }, '0 keeps all');
  t.equal(await count(database), STEP_ROWS + 7);
  t.match(await pruneOldRows(pool, 90), { removed: { vm_events: STEP_ROWS } });
  t.match(await pruneOldRows(pool, 90), { removed: { vm_events: 5 }, mayPruneEvents: true });
  t.match(await pruneOldRows(pool, 90), { removed: { vm_events: 0 } });
  t.equal(await count(database), 2);
});

t.test('one gateway at a time', async (t) => {
  const database = await fill(5);
  const pool = createPool(t, database.config);
  const other = new pg.Client(database.config);
  await other.connect();
  t.teardown(() => other.end());
  await other.query('BEGIN');
  await other.query('SELECT pg_advisory_xact_lock($1, $2)', [0x6c61626c, 0x6b656570]);
  t.same((await pruneOldRows(pool, 90)).removed, {});
  t.equal(await count(database), 7);
  await other.query('COMMIT');
  t.match((await pruneOldRows(pool, 90)).removed, { vm_events: 5 });
});

t.test('a role that may not remove events keeps them, and the owner removes them', async (t) => {
  const database = await fill(STEP_ROWS + 5);
  const admin = createPool(t, database.adminConfig);
  await admin.query(`CREATE ROLE gateway LOGIN; GRANT CONNECT ON DATABASE ${String(database.config.database)} TO gateway;
    GRANT SELECT, INSERT, UPDATE, DELETE ON vms, vm_deliveries, vm_presence, gateways TO gateway;
    GRANT EXECUTE ON FUNCTION prune_vm_presence, prune_vm_deliveries TO gateway;
    GRANT SELECT ON vm_events TO gateway`);
  const step = await pruneOldRows(createPool(t, { ...database.config, user: 'gateway' }), 90);
  t.match(step, { mayPruneEvents: false, removed: { vm_deliveries: 0, vm_presence: 0 } });
  t.equal(await count(database), STEP_ROWS + 7);
  t.match((await db(database, ['prune', '--dry-run'])).stdout, /Would remove 1,005 events/);
  t.equal(await count(database), STEP_ROWS + 7);
  const pruned = await db(database, ['prune', '--json']);
  t.same(JSON.parse(pruned.stdout), { vm_events: STEP_ROWS + 5, vm_deliveries: 0, vm_presence: 0 });
  t.equal(await count(database), 2);
  t.match(await db(database, ['prune', '--days', '0']), { code: 2 });
  t.match(await db(database, ['prune'], 'gateway'), { code: 2, stderr: /permission denied/ });
});

t.test('a gateway removes them by itself, and its metrics show it', async (t) => {
  const database = await fill(3 * STEP_ROWS + 5);
  const gateway = await startGateway(t, database, {
    auditDays: 90,
    timing: { pruneIntervalMs: 100, leaseMs: 300 },
  });
  await until('only the young ones are left', async () => (await count(database)) === 2);
  await until('its metrics show it', async () => {
    const metrics = await (await gateway.fetch('/metrics')).text();
    return (
      metrics.includes(`lablink_pruned_rows_total{table="vm_events"} ${3 * STEP_ROWS + 5}`) &&
      /^lablink_audit_bytes [1-9]/m.test(metrics)
    );
  });
});
