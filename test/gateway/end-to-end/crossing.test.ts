// Versions that cross, hostnames that move, transactions that roll back: in whatever order the
// notifications arrive, every socket ends at the state of the table. With TEST_LONG=1 the writers
// write for ten seconds.

import pg from 'pg';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { FleetModel, VmModel } from '../../helpers/model.js';
import { until } from '../../helpers/until.js';

const HOSTNAMES = ['vm-0', 'vm-1', 'vm-2', 'vm-3', 'vm-4'];
const WRITERS = 8;
const ROUNDS = 40;
const STATEMENTS_A_ROUND = 10;
const LONG_MS = 10_000;

const { createDatabase } = await startServer(t);

/** A database, its gateway, an agent for each hostname, a dashboard and an admin. */
async function watched(t: Test) {
  const database = await createDatabase();
  // Only notifications may correct the clients: neither the check nor the routine read runs.
  const gateway = await startGateway(t, database, { timing: { checkIntervalMs: 3_600_000 } });
  const models = [
    FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard')),
    FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin')),
    ...(await Promise.all(
      HOSTNAMES.map(
        async (name) => new VmModel(await gateway.connect(`/v1/vms/${name}`, 'agent', name), name),
      ),
    )),
  ];
  const settled = () => Promise.all(models.map((model) => model.untilTable(database)));
  return { database, models, settled };
}

async function connected(t: Test, { config }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

async function readBackendPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

function untilWaitingForLock(database: TestDatabase, pid: number): Promise<true> {
  return until('the other waits for a lock', async () => {
    const rows = await database.query(
      `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'`,
      [pid],
    );
    return rows.length > 0;
  });
}

const readVersion = (rows: unknown[]): number =>
  Number((rows as { version: string }[])[0]?.version);

t.test('an INSERT that waited for a DELETE gets a lower version and is still seen', async (t) => {
  const { database, settled } = await watched(t);
  const [deleter, inserter] = [await connected(t, database), await connected(t, database)];
  const inserterPid = await readBackendPid(inserter);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-0', 'failed')`);
  await settled();

  await deleter.query('BEGIN');
  await deleter.query(`DELETE FROM vms WHERE hostname = 'vm-0'`);
  await inserter.query('BEGIN');
  const inserted = inserter.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-0', 'available')
     ON CONFLICT (hostname) DO UPDATE SET status = EXCLUDED.status RETURNING version`,
  );
  await untilWaitingForLock(database, inserterPid);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'later')`);
  await deleter.query('COMMIT');
  const { rows } = await inserted;
  await settled();
  const [later] = await database.query<{ version: string }>('SELECT version FROM vms');
  t.ok(
    readVersion(rows) < Number(later?.version),
    'below the deletion, which everybody knows by now',
  );
  await inserter.query('COMMIT');
  await settled();

  await database.query(`UPDATE vms SET status = 'in-use' WHERE hostname = 'vm-0'`);
  await settled();
});

t.test('INSERT and DELETE inside one transaction', async (t) => {
  const { database, models, settled } = await watched(t);
  const client = await connected(t, database);
  for (const statements of [
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available');
     DELETE FROM vms WHERE hostname = 'vm-1'`,
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available');
     DELETE FROM vms WHERE hostname = 'vm-1';
     INSERT INTO vms (hostname, status) VALUES ('vm-1', 'failed')`,
    `DELETE FROM vms WHERE hostname = 'vm-1';
     INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use');
     INSERT INTO vms (hostname, status) VALUES ('vm-2', 'in-use')`,
    `TRUNCATE vms; INSERT INTO vms (hostname, status) VALUES ('vm-3', 'available')`,
    `INSERT INTO vms (hostname, status) VALUES ('vm-4', 'available'); TRUNCATE vms`,
  ]) {
    await client.query(`BEGIN; ${statements}; COMMIT`);
    await settled();
  }
  t.same(models[0] instanceof FleetModel && [...models[0].rows], [], 'empty in the end');
});

t.test('a rename to a freed hostname, and two hostnames exchanged', async (t) => {
  const { database, models, settled } = await watched(t);
  const client = await connected(t, database);
  await client.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-0', 'available'), ('vm-1', 'in-use'), ('vm-2', 'failed')`,
  );
  await settled();
  for (const statements of [
    `DELETE FROM vms WHERE hostname = 'vm-0'; UPDATE vms SET hostname = 'vm-0' WHERE hostname = 'vm-1'`,
    `UPDATE vms SET hostname = 'other' WHERE hostname = 'vm-0';
     UPDATE vms SET hostname = 'vm-0' WHERE hostname = 'vm-2';
     UPDATE vms SET hostname = 'vm-2' WHERE hostname = 'other'`,
    `UPDATE vms SET hostname = 'vm-1' WHERE hostname = 'vm-2'; UPDATE vms SET hostname = 'vm-2' WHERE hostname = 'vm-1'`,
  ]) {
    await client.query(`BEGIN; ${statements}; COMMIT`);
    await settled();
  }
  t.same(models[1] instanceof FleetModel && [...models[1].rows.keys()].sort(), ['vm-0', 'vm-2']);
});

t.test('a change that is rolled back is never seen', async (t) => {
  const { database, models, settled } = await watched(t);
  const client = await connected(t, database);
  await client.query(`INSERT INTO vms (hostname, status) VALUES ('vm-0', 'available')`);
  await settled();
  await client.query(
    `BEGIN; UPDATE vms SET status = 'failed'; INSERT INTO vms (hostname, status) VALUES ('vm-1', 'x');
     DELETE FROM vms WHERE hostname = 'vm-0'; ROLLBACK`,
  );
  await client.query(
    `BEGIN; SAVEPOINT s; TRUNCATE vms; ROLLBACK TO s; UPDATE vms SET email = 'a@b.c'; COMMIT`,
  );
  await settled();
  for (const { client } of models) {
    const told = JSON.stringify(client.messages);
    t.notMatch(told, /"status":"(failed|x)"|"op":"delete"/);
  }
});

const pick = <T>(items: readonly T[]): T => {
  const item = items[Math.floor(Math.random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};

const STATEMENTS: readonly ((a: string, b: string) => string)[] = [
  (a) =>
    `INSERT INTO vms (hostname, status) VALUES ('${a}', 'available') ON CONFLICT (hostname) DO UPDATE SET status = 'in-use', email = md5(random()::text)`,
  (a) => `INSERT INTO vms (hostname, status) VALUES ('${a}', 'failed') ON CONFLICT DO NOTHING`,
  (a) => `DELETE FROM vms WHERE hostname = '${a}'`,
  (a) => `DELETE FROM vms WHERE hostname = '${a}'`,
  (a) => `UPDATE vms SET crd_command = repeat('é', (random() * 6000)::int) WHERE hostname = '${a}'`,
  (a, b) => `UPDATE vms SET hostname = '${b}' WHERE hostname = '${a}'`,
  (a) =>
    `BEGIN; INSERT INTO vms (hostname, status) VALUES ('${a}', 'new') ON CONFLICT DO NOTHING; DELETE FROM vms WHERE hostname = '${a}'; COMMIT`,
  (a) => `BEGIN; UPDATE vms SET status = 'never' WHERE hostname = '${a}'; ROLLBACK`,
];

/**
 * `unique_violation` and `deadlock_detected`: the errors of writers that compete for a hostname.
 */
const EXPECTED = new Set(['23505', '40P01']);

async function write(client: pg.Client, goesOn: (done: number) => boolean): Promise<void> {
  for (let done = 0; goesOn(done); done++) {
    try {
      await client.query(pick(STATEMENTS)(pick(HOSTNAMES), pick(HOSTNAMES)));
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !EXPECTED.has(error.code ?? '')) throw error;
      await client.query('ROLLBACK');
    }
  }
}

t.test('eight writers compete for a few hostnames', async (t) => {
  const { database, models, settled } = await watched(t);
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => connected(t, database)));
  const writeAll = (goesOn: (done: number) => boolean) =>
    Promise.all(writers.map((writer) => write(writer, goesOn)));
  if (process.env.TEST_LONG === '1') {
    const endMs = performance.now() + LONG_MS;
    await writeAll(() => performance.now() < endMs);
    await settled();
  }
  // Only the last change of a round can stay wrong, so there are many rounds.
  for (let round = 0; round < ROUNDS; round++) {
    await writeAll((done) => done < STATEMENTS_A_ROUND);
    await settled();
  }
  t.ok(
    models.every(({ client }) => client.ws.readyState === client.ws.OPEN),
    'all sockets live',
  );
  t.notMatch(JSON.stringify(models.map(({ client }) => client.messages)), /"never"/);
});
