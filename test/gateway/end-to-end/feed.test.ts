// The feed becomes stale and live again. The sockets stay open whatever happens to the connection
// or the database, are notified, and end at the state of the table. In the end exactly one session
// listens.

import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { listening, untilOneListens } from '../../helpers/sessions.js';
import { FleetModel, VmModel } from '../../helpers/model.js';
import type { RawClient } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

const server = await startServer(t);

/**
 * A missed heartbeat shows soon. A busy machine may report a missed heartbeat that was not missed,
 * which does no harm.
 */
const IMPATIENT = { beatIntervalMs: 100, beatDeadlineMs: 1_000 };

async function watched(t: Test, gateway: TestGateway, database: TestDatabase) {
  const models = [
    FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard')),
    FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin')),
    new VmModel(await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1'), 'vm-1'),
  ] as const;
  t.teardown(() => models.map(({ client }) => client.ws.terminate()));
  const settled = () => Promise.all(models.map((model) => model.untilTable(database)));
  await settled();
  return { models, settled, agent: models[2].client };
}

/** The `feed` messages that a client received: stale and live in turn. */
const selectFeedMessages = ({ messages }: RawClient): unknown[] =>
  messages.filter(({ type }) => type === 'feed').map(({ live }) => live);

t.test('changes while the LISTEN connection is lost reach every client', async (t) => {
  const database = await server.createDatabase();
  // Only the lost connections make the feed stale.
  const timing = { checkIntervalMs: 3_600_000, beatDeadlineMs: 3_600_000 };
  const gateway = await startGateway(t, database, { timing });
  const { models, settled } = await watched(t, gateway, database);
  for (let loss = 1; loss <= 5; loss++) {
    const pid = await untilOneListens(database);
    await database.query('SELECT pg_terminate_backend($1)', [pid]);
    await database.query(
      `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use') ON CONFLICT (hostname) DO UPDATE SET email = $1`,
      [`loss-${loss}`],
    );
    await database.query(`INSERT INTO vms (hostname, status) VALUES ($1, 'new')`, [`new-${loss}`]);
    await database.query(`DELETE FROM vms WHERE hostname = $1`, [`new-${loss - 1}`]);
    await until('the feed is live again', () =>
      models.every(({ client }) => selectFeedMessages(client).length === 2 * loss),
    );
    await settled();
    await untilOneListens(database, pid);
  }
  for (const { client } of models)
    t.same(selectFeedMessages(client), Array(5).fill([false, true]).flat());
  t.ok(
    models.every(({ client }) => client.ws.readyState === client.ws.OPEN),
    'every socket stayed',
  );
});

t.test('a restarted database', async (t) => {
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database);
  const { models, settled, agent } = await watched(t, gateway, database);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use')`);
  await settled();

  await server.stop();
  t.match(await gateway.notReady(), /database/);
  for (const { client } of models) t.match(await client.nextMessage('feed'), { live: false });
  agent.send({ type: 'status', status: 'failed' });
  t.match(await agent.nextMessage('error'), { code: 'unavailable' });
  const answer = await gateway.fetch('/v1/vms', 'admin');
  t.equal(answer.status, 503);
  t.match(await answer.json(), { code: 'database_unavailable' });
  const newcomer = await gateway.connect('/v1/vms/vm-1', 'admin');
  t.match(await newcomer.next(), { type: 'welcome', live: false });
  t.match(await newcomer.next(), { type: 'assignment', vm: { hostname: 'vm-1' } });

  await server.start();
  await database.query(`UPDATE vms SET status = 'failed'`);
  await settled();
  await newcomer.nextMessage('status');
  await gateway.ready();
  await untilOneListens(database);
  for (const { client } of models) t.equal(selectFeedMessages(client).at(-1), true);
});

t.test('a gateway that starts before its database', async (t) => {
  const config = { ...server.server.connection, database: 'late', application_name: 'mine' };
  const elsewhere = await server.createDatabase({ migrate: false });
  const gateway = await startGateway(t, elsewhere, {
    database: config,
    listenDatabase: config,
    waitReady: false,
  });
  t.match(await gateway.notReady(), /database/);
  const database = await server.createDatabase({ name: 'late' });
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  await gateway.ready();
  const { settled } = await watched(t, gateway, database);
  await database.query(`UPDATE vms SET status = 'in-use'`);
  await settled();
  await untilOneListens(database);
  t.match(
    await database.query('SELECT application_name FROM pg_stat_activity WHERE pid = $1', [
      await untilOneListens(database),
    ]),
    [{ application_name: 'mine listen' }],
  );
});

t.test('a LISTEN connection that is up and receives nothing is not trusted', async (t) => {
  const [database, other] = [await server.createDatabase(), await server.createDatabase()];
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  // NOTIFY does not cross databases: LISTEN on another database is as deaf as after a failover to
  // another server, or behind a pooler.
  const gateway = await startGateway(t, database, {
    listenDatabase: other.config,
    timing: IMPATIENT,
    waitReady: false,
  });
  const named = () =>
    until('the reason is named', async () => {
      const reason = await gateway.notReady();
      return reason.includes('LISTEN_DATABASE_URL');
    });
  await named();
  const client = await until('the fleet is loaded', () =>
    gateway.connect('/v1/vms', 'admin').catch(() => undefined),
  );
  t.match(await client.next(), { type: 'welcome', live: false });
  t.match(await client.next(), { type: 'snapshot', vms: [{ hostname: 'vm-1' }] });

  for (let tries = 0; tries < 3; tries++) {
    const pid = await untilOneListens(other);
    const reasons = new Set<string>();
    await until('another connection is tried', async () => {
      reasons.add(await gateway.notReady());
      const [now] = await listening(other);
      return now !== undefined && now !== pid;
    });
    // A busy machine may send no heartbeat in time.
    reasons.delete('The database does not answer queries.');
    t.equal(reasons.size, 1, 'the reason stands while connections come and go');
    t.match([...reasons][0], 'LISTEN_DATABASE_URL');
  }
});

t.test('a LISTEN connection that falls silent is replaced', async (t) => {
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database, {
    timing: { ...IMPATIENT, checkIntervalMs: 3_600_000 },
  });
  const { models, settled } = await watched(t, gateway, database);
  const pid = await untilOneListens(database);
  process.kill(pid, 'SIGSTOP');
  try {
    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use')`);
    await until('the clients are notified that the feed is stale', () =>
      models.every(({ client }) => selectFeedMessages(client).includes(false)),
    );
    await settled();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await untilOneListens(database, pid);
  await gateway.ready();
});

t.test('two gateways on one database do not hear each other’s heartbeats', async (t) => {
  const database = await server.createDatabase();
  const gateways = [await startGateway(t, database), await startGateway(t, database)];
  const watching = await Promise.all(gateways.map((gateway) => watched(t, gateway, database)));
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'in-use')`);
  for (const { settled } of watching) await settled();
  t.equal((await listening(database)).length, 2);
  await gateways[0]?.app.close();
  await database.query(`UPDATE vms SET status = 'failed'`);
  await watching[1]?.settled();
  await untilOneListens(database);
});
