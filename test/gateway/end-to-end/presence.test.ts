// Presence from end to end: agents connect, leave, move and connect twice, to a single gateway or
// to several. Every subscriber is notified, over its socket and over HTTP.

import t, { type Test } from 'tap';
import type { Presence } from '../../../src/protocol/presence.js';
import { createApi } from '../../helpers/api.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { PresenceModel } from '../../helpers/presence.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);
/**
 * Short intervals, so that the tests are quick, with a lease that survives a machine that stands
 * still for a while.
 */
const TIMING = {
  leaseMs: 60_000,
  presenceWriteGapMs: 20,
  pushWriteGapMs: 20,
  presenceReadGapMs: 20,
};

const connectAgent = (gateway: TestGateway, hostname: string) =>
  gateway.connect(`/v1/vms/${hostname}`, 'agent', hostname);

async function setUp(t: Test, gateways = 1) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 3) n`,
  );
  const all = await Promise.all(
    Array.from({ length: gateways }, () => startGateway(t, database, { timing: TIMING })),
  );
  const [gateway = all[0]] = all;
  if (gateway === undefined) throw new Error('no gateway');
  const dashboard = await PresenceModel.watch(gateway);
  return { database, gateway, others: all.slice(1), dashboard };
}

const assign = (database: TestDatabase, hostname: string, email = 'ada@x.y') =>
  database.query(`UPDATE vms SET status = 'in-use', email = $2 WHERE hostname = $1`, [
    hostname,
    email,
  ]);

t.test('an agent connects and leaves', async (t) => {
  const { gateway, dashboard } = await setUp(t);
  const agent = await connectAgent(gateway, 'vm-1');
  const online = await dashboard.until('vm-1', ({ online }) => online);
  t.match(online, {
    hostname: 'vm-1',
    duplicate: false,
    acked_assignment_id: null,
    delivery: null,
    since: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  });
  const late = await PresenceModel.watch(gateway);
  t.same(late.presence.get('vm-1'), online, 'it is in the snapshot');
  const watcher = await gateway.connect('/v1/vms/vm-2', 'admin');
  await agent.close();
  const away = await dashboard.until('vm-1', ({ online }) => !online);
  t.ok(String(away.since) > String(online.since), 'away since it left');
  t.notOk(dashboard.presence.has('vm-2'), 'nobody but an agent counts');
  await watcher.close();
});

t.test('every step of an assignment’s delivery is visible', async (t) => {
  const { database, gateway, dashboard } = await setUp(t);
  const admin = await createApi(gateway);
  await assign(database, 'vm-1');
  const made = await dashboard.until('vm-1', ({ delivery }) => delivery !== null);
  t.match(made.delivery, { pushed_at: null, acked_at: null, ended_at: null });
  const agent = await connectAgent(gateway, 'vm-1');
  const { vm } = (await agent.nextMessage('assignment')) as unknown as {
    vm: { assignment_id: string };
  };
  const id = vm.assignment_id;
  t.equal(made.delivery?.assignment_id, id);
  await dashboard.until('vm-1', ({ delivery }) => Boolean(delivery?.pushed_at));
  agent.send({ type: 'ack', assignment_id: id });
  const acked = await dashboard.until('vm-1', (known) => known.acked_assignment_id === id);
  const asAgent = await createApi(gateway, 'agent', 'vm-1');
  const end = { outcome: 'failed', exit_code: 3 };
  const ended = await asAgent('PUT', `/v1/assignments/${id}/end`, end);
  t.equal(ended.status, 200);
  const seen = await dashboard.until('vm-1', ({ delivery }) => Boolean(delivery?.ended_at));
  const { made_at, pushed_at, acked_at, ended_at } = seen.delivery ?? {};
  const times = [made_at, pushed_at, acked_at, ended_at];
  t.same(times, times.toSorted(), 'in this order');
  t.equal(acked_at, acked.delivery?.acked_at);
  t.match(seen.delivery, { outcome: 'failed', exit_code: 3 });
  const { json } = await admin('GET', '/v1/vms/vm-1/deliveries');
  const whole = { ...seen.delivery, hostname: 'vm-1', signal: null };
  t.same(json, { deliveries: [whole] });
  const page = (await admin('GET', '/v1/vms?limit=1')).json as { presence: Presence[] };
  t.same(page.presence, [seen], 'the same over HTTP');
});

t.test('an acknowledgement is written together with its push', async (t) => {
  const { database } = await setUp(t);
  // No other write happens meanwhile.
  const never = { presenceWriteGapMs: 3_600_000, pushWriteGapMs: 3_600_000 };
  const gateway = await startGateway(t, database, { timing: { ...TIMING, ...never } });
  await assign(database, 'vm-1');
  const agent = await connectAgent(gateway, 'vm-1');
  const { vm } = (await agent.nextMessage('assignment')) as unknown as {
    vm: { assignment_id: string };
  };
  agent.send({ type: 'ack', assignment_id: vm.assignment_id });
  const acknowledged = await until('it is acknowledged', async () => {
    const sql = 'SELECT pushed_at FROM vm_deliveries WHERE acknowledged_at IS NOT NULL';
    return (await database.query<{ pushed_at: Date | null }>(sql))[0];
  });
  t.type(acknowledged.pushed_at, Date);
});

t.test('an agent that moves between gateways is online throughout', async (t) => {
  const { gateway, others, dashboard } = await setUp(t, 2);
  const [other = gateway] = others;
  const elsewhere = await PresenceModel.watch(other);
  const first = await connectAgent(gateway, 'vm-1');
  const here = await elsewhere.until('vm-1', ({ online }) => online);
  const second = await connectAgent(other, 'vm-1');
  t.match(await dashboard.until('vm-1', ({ duplicate }) => duplicate), { online: true });
  await elsewhere.until('vm-1', ({ duplicate }) => duplicate);
  await first.close();
  const moved = await dashboard.until('vm-1', ({ duplicate }) => !duplicate);
  t.ok(moved.online);
  t.ok(String(moved.since) > String(here.since), 'since it came to the second');
  t.ok(await elsewhere.until('vm-1', ({ duplicate }) => !duplicate));
  t.equal(second.ws.readyState, second.ws.OPEN, 'and nobody was replaced');
  for (let moves = 0; moves < 5; moves++) {
    await (await connectAgent(gateway, 'vm-1')).close();
    await (await connectAgent(other, 'vm-1')).close();
  }
  const last = await connectAgent(gateway, 'vm-1');
  for (const watcher of [dashboard, elsewhere]) {
    const settled = await watcher.until(
      'vm-1',
      ({ online, duplicate, since }) => online && !duplicate && String(since) > String(moved.since),
    );
    t.match(settled, { online: true, duplicate: false });
  }
  await last.close();
  for (const watcher of [dashboard, elsewhere]) {
    const away = await watcher.until('vm-1', ({ online }) => !online);
    t.equal(away.duplicate, false, 'everyone ends at the same');
  }
});

t.test('a newer agent of the same gateway replaces the older without going offline', async (t) => {
  const { gateway, dashboard } = await setUp(t);
  const first = await connectAgent(gateway, 'vm-1');
  const online = await dashboard.until('vm-1', (known) => known.online);
  const second = await connectAgent(gateway, 'vm-1');
  t.match(await first.closed, { code: 4409 });
  const marker = await connectAgent(gateway, 'vm-2');
  await dashboard.until('vm-2', (known) => known.online);
  t.same(dashboard.presence.get('vm-1'), online);
  await Promise.all([second.close(), marker.close()]);
});

t.test('a client that resumes with a cursor receives the presence changes it missed', async (t) => {
  const { database, gateway, dashboard } = await setUp(t);
  const agent = await connectAgent(gateway, 'vm-1');
  await dashboard.until('vm-1', ({ online }) => online);
  await dashboard.client.close();
  await agent.close();
  await connectAgent(gateway, 'vm-2');
  const witness = await PresenceModel.watch(gateway);
  await witness.until('vm-2', ({ online }) => online);
  await witness.until('vm-1', ({ online }) => !online);
  const back = await PresenceModel.watch(gateway, dashboard);
  t.match(back.client.messages.at(-1), { type: 'changes' });
  t.same([...back.presence].sort(), [...witness.presence].sort());
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-1'`);
  await back.untilForgotten('vm-1');
  await witness.untilForgotten('vm-1');
  t.match(witness.client.messages.at(-1), {
    changes: [{ op: 'presence', hostname: 'vm-1', online: false, since: null, delivery: null }],
  });
});

t.test('an agent whose row is renamed, deleted and created again', async (t) => {
  const { database, gateway, dashboard } = await setUp(t);
  await assign(database, 'vm-1');
  await connectAgent(gateway, 'vm-1');
  const before = await dashboard.until(
    'vm-1',
    ({ online, delivery }) => online && Boolean(delivery?.pushed_at),
  );
  await database.query(`UPDATE vms SET hostname = 'vm-9' WHERE hostname = 'vm-1'`);
  const renamed = await dashboard.until('vm-9', ({ delivery }) => delivery !== null);
  t.match(renamed, { online: false, since: null, delivery: before.delivery });
  t.ok(await dashboard.until('vm-1', ({ online, delivery }) => online && delivery === null));
  await database.query(`UPDATE vms SET hostname = 'vm-1' WHERE hostname = 'vm-9'`);
  t.same(await dashboard.until('vm-1', ({ delivery }) => delivery !== null), before);
  await dashboard.untilForgotten('vm-9');
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-1'`);
  await dashboard.until('vm-1', ({ online, delivery }) => online && delivery === null);
  const asAgent = await createApi(gateway, 'agent', 'vm-1');
  t.equal((await asAgent('PUT', '/v1/vms/vm-1')).status, 201);
  t.match(await dashboard.until('vm-1', ({ online }) => online), { delivery: null });
});

t.test('assignments prefer VMs whose agent is online, and say so', async (t) => {
  const { gateway, dashboard } = await setUp(t);
  const admin = await createApi(gateway);
  const agent = await connectAgent(gateway, 'vm-2');
  await dashboard.until('vm-2', ({ online }) => online);
  const ask = async (email: string) => {
    const { status, json, headers } = await admin('POST', '/v1/assignments', { email });
    const { hostname } = json as { hostname: string };
    return [status, hostname, headers.get('agent-online')];
  };
  t.same(await ask('ada@x.y'), [201, 'vm-2', 'true'], 'though others were free for longer');
  t.same(await ask('ada@x.y'), [200, 'vm-2', 'true']);
  t.same(await ask('bob@x.y'), [201, 'vm-1', 'false'], 'nobody is sent away for it');
  await agent.close();
  await dashboard.until('vm-2', ({ online }) => !online);
  t.same(await ask('ada@x.y'), [200, 'vm-2', 'false']);
});

t.test('presence changes during a database outage are reported afterwards', async (t) => {
  const server = await startServer(t);
  const database = await server.createDatabase();
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const gateway = await startGateway(t, database, { timing: TIMING });
  const dashboard = await PresenceModel.watch(gateway);
  const agent = await connectAgent(gateway, 'vm-1');
  await dashboard.until('vm-1', ({ online }) => online);
  await server.stop();
  await gateway.notReady();
  await agent.close();
  await server.start();
  await gateway.ready();
  t.ok(await dashboard.until('vm-1', ({ online }) => !online));
});

t.test('a VM whose agent stays away is set to failed, and a shutdown fails no VM', async (t) => {
  const { database, gateway } = await setUp(t);
  // A running gateway would count the second gateway's start as time in which no agent came back.
  await gateway.app.close();
  const timing = { ...TIMING, leaseMs: 600 };
  const start = () => startGateway(t, database, { timing, offlineGraceMs: 3_000 });
  const status = async (hostname: string): Promise<string | undefined> => {
    const sql = 'SELECT status FROM vms WHERE hostname = $1';
    return (await database.query<{ status: string }>(sql, [hostname]))[0]?.status;
  };
  await assign(database, 'vm-1');
  await assign(database, 'vm-2', 'bob@x.y');
  await assign(database, 'vm-3', 'cy@x.y');
  const first = await start();
  const dashboard = await PresenceModel.watch(first);
  await Promise.all([connectAgent(first, 'vm-1'), connectAgent(first, 'vm-2')]);
  for (const hostname of ['vm-1', 'vm-2']) await dashboard.until(hostname, ({ online }) => online);
  await first.app.close();

  const second = await start();
  const agent = await connectAgent(second, 'vm-2');
  await until('the one that stays away is failed', async () => (await status('vm-1')) === 'failed');
  t.equal(await status('vm-2'), 'in-use', 'the one that came back is not');
  t.equal(await status('vm-3'), 'in-use', 'nor the one that never was seen');
  const events = await database.query<{ actor: string; hostname: string }>(
    `SELECT hostname, actor FROM vm_events WHERE new_status = 'failed'`,
  );
  t.same(events, [{ hostname: 'vm-1', actor: 'gateway:agent-absent' }]);
  await agent.close();
});
