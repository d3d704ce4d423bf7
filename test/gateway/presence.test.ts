// Presence through the whole: agents come, go, move and come twice, over one gateway and several; whoever watches is
// told, over its socket and over HTTP.

import t, { type Test } from 'tap';
import type { Presence } from '../../src/protocol/presence.js';
import { apiOf } from '../helpers/api.js';
import { startServer, type TestDatabase } from '../helpers/database.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { PresenceModel } from '../helpers/presence.js';

const { createDatabase } = await startServer(t);
/** Short gaps, so that tests are quick; a lease that a busy machine can keep. */
const TIMING = { leaseMs: 5_000, presenceWriteGapMs: 20, presenceReadGapMs: 20 };

const agentOf = (gateway: TestGateway, hostname: string) =>
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

t.test('an agent comes and goes', async (t) => {
  const { gateway, dashboard } = await setUp(t);
  const agent = await agentOf(gateway, 'vm-1');
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

t.test('what became of an assignment is seen at every step', async (t) => {
  const { database, gateway, dashboard } = await setUp(t);
  const admin = await apiOf(gateway);
  await assign(database, 'vm-1');
  const made = await dashboard.until('vm-1', ({ delivery }) => delivery !== null);
  t.match(made.delivery, { pushed_at: null, acked_at: null, ended_at: null });
  const agent = await agentOf(gateway, 'vm-1');
  const { vm } = (await agent.nextOf('assignment')) as unknown as { vm: { assignment_id: string } };
  const id = vm.assignment_id;
  t.equal(made.delivery?.assignment_id, id);
  await dashboard.until('vm-1', ({ delivery }) => Boolean(delivery?.pushed_at));
  agent.send({ type: 'ack', assignment_id: id });
  const acked = await dashboard.until('vm-1', (known) => known.acked_assignment_id === id);
  const asAgent = await apiOf(gateway, 'agent', 'vm-1');
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
