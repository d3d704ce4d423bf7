// After a script of changes, nonsense, connections and rejections, the metrics report exactly the
// script's actions.

import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import t from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { FleetModel } from '../../helpers/model.js';
import { parseMetrics } from '../../helpers/prometheus.js';
import { clientEnd } from '../../helpers/sockets.js';
import { until } from '../../helpers/until.js';
import { bearer, waysToAsk } from './ask.js';

const server = await startServer(t);
const { createDatabase } = server;

/** A masked text frame of no bytes with a reserved bit set (RFC 6455 §5.2). */
const NO_FRAME = Buffer.from([0x91 | 0x20, 0x80, 0, 0, 0, 0]);

/** Only the reads of the script happen, and no standstill of the machine makes the feed stale. */
const QUIET = { checkIntervalMs: 3_600_000, beatDeadlineMs: 3_600_000 };

/** The metrics that depend on durations, on when retention ran, or on how often the test looked. */
const BESIDES =
  /audit_bytes|_age_seconds|_(bucket|sum)\b|heartbeat|\/health\/ready|not_ready|GET \/metrics/;

async function read(gateway: TestGateway): Promise<ReadonlyMap<string, number>> {
  const text = await (await gateway.fetch('/metrics')).text();
  const families = [...parseMetrics(text).values()];
  return new Map(families.flatMap(({ series }) => [...series]));
}

async function scripted(gateway: TestGateway): Promise<Record<string, number>> {
  const series = [...(await read(gateway))].filter(
    ([name]) => name.startsWith('lablink_') && !BESIDES.test(name),
  );
  return Object.fromEntries(series.map(([name, value]) => [name.slice('lablink_'.length), value]));
}

t.test('the metrics count the actions of the script', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available'), ('vm-2', 'strange'), ('vm-4', 'odd')`,
  );
  const gateway = await startGateway(t, database, { timing: QUIET });
  const first = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const admin = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  const dashboard = FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard'));
  t.match(await first.closed, { code: 4409 });
  await agent.nextMessage('status');
  const settled = () => Promise.all([admin.untilTable(database), dashboard.untilTable(database)]);
  await settled();
  // The agent's presence must not be flushed together with a change: that flush would have no
  // arrival to measure latency from.
  await until('its agent is known', async () => {
    return (await scripted(gateway))['agents{online="yes"}'] === 1;
  });

  // Each change is flushed before the next is made, so the counts of flushes and reads are exact.
  for (const change of [
    `INSERT INTO vms (hostname, status) VALUES ('vm-3', 'available')`,
    `UPDATE vms SET status = 'in-use', crd_command = 'x' WHERE hostname = 'vm-1'`,
    `UPDATE vms SET status = 'failed' WHERE hostname = 'vm-3'`,
    `UPDATE vms SET email = 'a@b.c' WHERE hostname = 'vm-1'`,
    `DELETE FROM vms WHERE hostname = 'vm-4'`,
  ]) {
    await database.query(change);
    await settled();
  }
  const notify = (channel: string, payload: string) =>
    database.query('SELECT pg_notify($1, $2)', [channel, payload]);
  const [known] = await database.query<{ row: string }>(
    `SELECT row_to_json(v)::text AS row FROM vms v WHERE hostname = 'vm-1'`,
  );
  await notify('vm_updates', known?.row ?? '');
  await notify('vm_updates', known?.row ?? '');
  await notify('vm_updates', 'not JSON');
  await notify('vm_updates', '{}');
  await notify('vm_changes', '[]');
  await notify('vm_updates', '{"hostname":"vm-2","version":0,"status":"x"}');

  const { overHttp, byUpgrade } = waysToAsk(gateway);
  await overHttp('/v1/vms', {});
  await overHttp('/v1/vms', bearer('a.b.c'));
  await overHttp('/v1/vms/vm-1', bearer(await gateway.token('agent', 'vm-1')));
  await overHttp('/v1/vms/vm-9', bearer(await gateway.token('admin')));
  await overHttp('/nothing', {});
  await byUpgrade('/v1/vms', {});
  await byUpgrade('/v1/vms', bearer(await gateway.token('agent', 'vm-1')));
  await byUpgrade('/v1/vms/%ff', {});

  for (const end of [
    (ws: typeof agent.ws) => ws.close(1000),
    (ws: typeof agent.ws) => ws.close(4_999),
    (ws: typeof agent.ws) => ws.terminate(),
    (ws: typeof agent.ws) => ws.send('not JSON'),
    (ws: typeof agent.ws) => ws.send('x'.repeat(20_000)),
    (ws: typeof agent.ws) => clientEnd(ws).write(NO_FRAME),
    (ws: typeof agent.ws) => ws.send(Buffer.from([0xff]), { binary: false }),
    (ws: typeof agent.ws) => {
      for (let n = 0; n < 100; n++) ws.send('', { fin: false });
    },
  ]) {
    const client = await gateway.connect('/v1/vms/vm-1', 'admin');
    end(client.ws);
    await client.closed;
  }

  const expected = {
    'notifications_total{channel="vm_updates",outcome="applied"}': 4,
    'notifications_total{channel="vm_updates",outcome="repeat"}': 2,
    'notifications_total{channel="vm_updates",outcome="rejected"}': 2,
    'notifications_total{channel="vm_updates",outcome="stale"}': 1,
    'notifications_total{channel="vm_changes",outcome="invalidation"}': 1,
    'notifications_total{channel="vm_changes",outcome="rejected"}': 1,
    // The agent that connected, counted once.
    'notifications_total{channel="vm_presence",outcome="invalidation"}': 1,
    presence_writes_total: 1,
    leases_lost_total: 0,
    revocations: 0,
    vms_failed_absent_total: 0,
    assignment_acknowledged_seconds_count: 0,
    'agents{online="yes"}': 1,
    'agents{online="no"}': 0,
    notifications_contradicted_total: 0,
    'notifications_rejected_total{reason="not_json"}': 1,
    'notifications_rejected_total{reason="no_hostname"}': 1,
    'notifications_rejected_total{reason="not_an_object"}': 1,
    'resyncs_total{reason="start"}': 1,
    // The deletion's invalidation, and the stale row.
    'resyncs_total{reason="stale"}': 2,
    'sessions_opened_total{kind="vm",role="agent"}': 2,
    'sessions_opened_total{kind="vm",role="admin"}': 8,
    'sessions_opened_total{kind="fleet",role="admin"}': 1,
    'sessions_opened_total{kind="fleet",role="dashboard"}': 1,
    'sessions_closed_total{by="gateway",code="4409"}': 1,
    'sessions_closed_total{by="gateway",code="4400"}': 1,
    'sessions_closed_total{by="gateway",code="1009"}': 1,
    'sessions_closed_total{by="gateway",code="1002"}': 1,
    'sessions_closed_total{by="gateway",code="1007"}': 1,
    'sessions_closed_total{by="gateway",code="1008"}': 1,
    'sessions_closed_total{by="client",code="1000"}': 1,
    'sessions_closed_total{by="client",code="1006"}': 1,
    'sessions_closed_total{by="client",code="other"}': 1,
    'http_answers_total{route="GET /v1/vms",status="401"}': 3,
    'http_answers_total{route="GET /v1/vms",status="403"}': 1,
    'http_answers_total{route="GET /v1/vms/:hostname",status="200"}': 1,
    'http_answers_total{route="GET /v1/vms/:hostname",status="404"}': 1,
    'http_answers_total{route="none",status="404"}': 1,
    'http_answers_total{route="none",status="400"}': 1,
    'limits_exceeded_total{reason="message_too_large"}': 2,
    'refusals_total{at="http",code="token_missing"}': 1,
    'refusals_total{at="http",code="token_invalid"}': 1,
    'refusals_total{at="http",code="vm_not_found"}': 1,
    'refusals_total{at="http",code="not_found"}': 1,
    'refusals_total{at="upgrade",code="token_missing"}': 1,
    'refusals_total{at="upgrade",code="not_allowed"}': 1,
    'refusals_total{at="upgrade",code="invalid_request"}': 1,
    'delivery_seconds_count{kind="vm"}': 2,
    'delivery_seconds_count{kind="fleet"}': 4,
    feed_live: 1,
    stale_rows: 0,
    'fleet_vms{status="available"}': 0,
    'fleet_vms{status="in-use"}': 1,
    'fleet_vms{status="failed"}': 1,
    'fleet_vms{status="other"}': 1,
    'sessions{kind="vm",role="agent",state="live"}': 1,
    'sessions{kind="fleet",role="admin",state="live"}': 1,
    'sessions{kind="fleet",role="dashboard",state="live"}': 1,
    unsent_bytes: 0,
    'conflated_changes_total{kind="vm"}': 0,
    'conflated_changes_total{kind="fleet"}': 0,
    notification_queue_ratio: 0,
    'set_aside{kind="row"}': 0,
    'set_aside{kind="presence"}': 0,
    log_lines_dropped_total: 0,
  };
  await until('the metrics say it', async () =>
    isDeepStrictEqual(sorted(await scripted(gateway)), sorted(expected)),
  ).catch(() => undefined);
  t.same(await scripted(gateway), expected);
  const beats = (await read(gateway)).get('lablink_heartbeat_round_trip_seconds_count');
  t.ok((beats ?? 0) > 0, 'heartbeats are timed');
});

const sorted = (series: Record<string, number>): unknown => Object.entries(series).sort();

t.test('a slow reader and its conflated changes are counted', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, 300) n`,
  );
  const gateway = await startGateway(t, database, { timing: QUIET });
  const slow = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  const other = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  await Promise.all([slow.untilTable(database), other.untilTable(database)]);
  const behind = 'lablink_sessions{kind="fleet",role="admin",state="lagging"}';
  const conflated = 'lablink_conflated_changes_total{kind="fleet"}';

  slow.client.ws.pause();
  let rounds = 0;
  await until('the reader lags', async () => {
    rounds++;
    await database.query(`UPDATE vms SET crd_command = repeat('x', 7000) || $1::int`, [rounds]);
    await other.untilTable(database);
    return (await read(gateway)).has(behind);
  });
  for (let more = 0; more < 2; more++) {
    rounds++;
    await database.query(`UPDATE vms SET crd_command = repeat('x', 7000) || $1::int`, [rounds]);
    await other.untilTable(database);
  }
  const during = await read(gateway);
  t.equal(during.get(behind), 1);
  t.ok((during.get('lablink_unsent_bytes') ?? 0) > 0);
  slow.client.ws.resume();
  await slow.untilTable(database);
  const told = slow.client.messages
    .filter(({ type }) => type === 'changes')
    .reduce((sum, { changes }) => sum + (changes as unknown[]).length, 0);
  const spared = rounds * 300 - told;
  t.ok(spared > 0);
  const after = await read(gateway);
  t.equal(after.get(conflated), spared);
  t.equal(after.get(behind), undefined);
  t.equal(after.get('lablink_unsent_bytes'), 0);
  await slow.client.close();
  t.equal((await read(gateway)).get(conflated), spared, 'also when it has gone');
});

t.test('a queue with a stuck listener shows before it is full', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const sleeper = new pg.Client(database.config);
  await sleeper.connect();
  await sleeper.query('LISTEN anything');
  await sleeper.query('BEGIN');
  await sleeper.query('SELECT');
  await database.query(
    `SELECT pg_notify('anything', n || repeat('x', 7000)) FROM generate_series(1, 1000) n`,
  );
  const usage = await until('the queue shows', async () => {
    const ratio = (await read(gateway)).get('lablink_notification_queue_ratio');
    return ratio !== 0 && ratio;
  });
  t.ok(usage < 0.01, 'it is far from full');
  await sleeper.end();
});

t.test('the metrics can be read while the database is unavailable', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  await server.stop();
  await gateway.notReady();
  const series = await read(gateway);
  t.equal(series.get('lablink_feed_live'), 0);
  t.ok((series.get('lablink_stale_rows') ?? 0) > 0);
});
