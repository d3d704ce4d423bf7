// Server-Sent Events give the same messages as a WebSocket at the same URL, with the same rights,
// limits and end.

import { execFileSync, spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { openEventStream } from '../../helpers/event-stream.js';
import { startGateway, type TestGateway } from '../../helpers/gateway.js';
import { FleetModel } from '../../helpers/model.js';
import { parseMetrics } from '../../helpers/prometheus.js';
import { until } from '../../helpers/until.js';
import { signToken } from '../../../src/gateway/auth/token.js';
import type { Role } from '../../../src/gateway/auth/roles.js';

const { createDatabase } = await startServer(t);

async function started(t: Test, vms: number) {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || n, 'available' FROM generate_series(1, $1) n`,
    [vms],
  );
  return { database, gateway: await startGateway(t, database) };
}

const open = async (
  gateway: TestGateway,
  path: string,
  role: Role,
  sub?: string,
  headers: Readonly<Record<string, string>> = {},
) => {
  const authorization = `Bearer ${await gateway.token(role, sub)}`;
  return openEventStream(gateway.url + path, { authorization, ...headers });
};

t.test('all VMs: the messages of a socket, and the table at the end', async (t) => {
  const { database, gateway } = await started(t, 1_000);
  const socket = FleetModel.ofDashboard(await gateway.connect('/v1/vms', 'dashboard'));
  const stream = FleetModel.ofDashboard(await open(gateway, '/v1/vms', 'dashboard'));
  await Promise.all([socket.untilTable(database), stream.untilTable(database)]);
  await database.query(`UPDATE vms SET status = 'in-use', email = E'é👩‍🔬\\n"\\\\' WHERE id < 10`);
  await database.query(`DELETE FROM vms WHERE id > 900`);
  await Promise.all([socket.untilTable(database), stream.untilTable(database)]);
  t.same(stream.client.messages[0], socket.client.messages[0], 'the same welcome');
  t.equal(stream.client.lastEventId, stream.cursor, 'the id of the last event is the cursor');
  t.ok((stream.client.retryMs ?? 0) >= 1_000, 'an automatic client pauses before it returns');
  t.match(stream.client.response.headers, {
    'content-type': 'text/event-stream',
    'cache-control': /no-store/,
    'x-accel-buffering': 'no',
    'x-request-id': /^[0-9a-f-]{36}$/,
    'content-security-policy': /default-src 'none'/,
  });
});

t.test('one VM: an agent sees its own, and is online meanwhile', async (t) => {
  const { database, gateway } = await started(t, 2);
  const watcher = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  const agent = await open(gateway, '/v1/vms/vm-1', 'agent', 'vm-1');
  t.match(await agent.nextMessage('status'), { vm: { hostname: 'vm-1' } });
  await until('the agent is online', () => watcher.fold().online.get('vm-1') === true);
  await database.query(
    `UPDATE vms SET status = 'in-use', crd_command = 'run' WHERE hostname = 'vm-1'`,
  );
  const { vm } = await agent.nextMessage('assignment');
  t.match(vm, { crd_command: 'run' });
  await until('the push is recorded', async () => {
    const pushed = 'SELECT FROM vm_deliveries WHERE pushed_at IS NOT NULL';
    return (await database.query(pushed)).length > 0;
  });
  t.equal(agent.lastEventId, '', 'one VM has no cursor: its state comes first');
  await t.rejects(open(gateway, '/v1/vms/vm-2', 'agent', 'vm-1'), /403 .*not_allowed/);
  await t.rejects(open(gateway, '/v1/vms', 'agent', 'vm-1'), /403 .*not_allowed/);
  await t.rejects(openEventStream(`${gateway.url}/v1/vms`, {}), /401 .*token_missing/);
  const newer = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  await agent.ended;
  t.same(agent.close, { code: 4409, reason: 'replaced' }, 'a hostname has one agent');
  await newer.close();
});

t.test('Last-Event-ID resumes', async (t) => {
  const { database, gateway } = await started(t, 1_000);
  const before = FleetModel.ofAdmin(await open(gateway, '/v1/vms', 'admin'));
  await before.untilTable(database);
  await before.client.leave();
  await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-7'`);
  await database.query(`DELETE FROM vms WHERE hostname = 'vm-8'`);
  const witness = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  await witness.untilTable(database);

  const lastEvent = { 'last-event-id': before.client.lastEventId };
  // The URL of an automatic client stays the same, so its cursor is older than the header.
  const stale = `/v1/vms?cursor=${before.cursor?.replace(/\d+$/, '1') ?? ''}`;
  for (const path of ['/v1/vms', stale]) {
    const stream = await open(gateway, path, 'admin', undefined, lastEvent);
    const model = FleetModel.ofAdmin(stream, before);
    await model.untilTable(database);
    t.equal(model.snapshots, 0, 'only the changes came');
    await stream.leave();
  }
  const invalid = { 'last-event-id': 'not a cursor' };
  await t.rejects(open(gateway, '/v1/vms', 'admin', undefined, invalid), /400 .*invalid_cursor/);
});

t.test('no event has an id until the snapshot is complete', async (t) => {
  const { database, gateway } = await started(t, 5);
  const witness = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  await database.query(`UPDATE vms SET crd_command = repeat('x', 40000)`);
  await witness.untilTable(database);
  const response = await fetch(`${gateway.url}/v1/vms`, {
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${await gateway.token('admin')}`,
      'last-event-id': `${witness.cursor?.replace(/\d+$/, '') ?? ''}999999`,
    },
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    if (/"more":false.*\n\n/.test(text)) break;
  }
  const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
  t.ok(ids.length > 1, 'the snapshot has parts');
  // Otherwise a client that leaves now would return with a cursor from before the snapshot, and
  // miss the rest of it.
  t.same(ids, [...Array<string>(ids.length - 1).fill(''), witness.cursor]);
});

t.test('a stream holds a slot, and releases it', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database, {
    socketLimits: { total: 10, perAddress: 10, perIdentity: 1 },
  });
  const stream = await open(gateway, '/v1/vms', 'admin');
  await t.rejects(open(gateway, '/v1/vms', 'admin'), /429 .*too_many_sockets_of_identity/);
  await t.rejects(gateway.connect('/v1/vms', 'admin'), /429/);
  await stream.leave();
  await until('the slot is free', async () => {
    const again = await open(gateway, '/v1/vms', 'admin').catch(() => undefined);
    await again?.leave();
    return again !== undefined;
  });
  const head = await fetch(`${gateway.url}/v1/vms`, {
    method: 'HEAD',
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${await gateway.token('dashboard')}`,
    },
  });
  t.match(head.headers.get('content-type'), 'text/event-stream');
  await (await open(gateway, '/v1/vms', 'dashboard')).leave();
});

t.test('a thousand streams of one identity exclude no other, and leave nothing', async (t) => {
  const socketLimits = { total: 200, perAddress: 200, perIdentity: 20 };
  const requestsPerMinute = 2_000;
  const gateway = await startGateway(t, await createDatabase(), {
    ...{ socketLimits, requestsPerMinute },
  });
  const attempts = Array.from({ length: 1_000 }, () =>
    open(gateway, '/v1/vms', 'dashboard', 'eve').catch((error: unknown) => String(error)),
  );
  const outcomes = await Promise.all(attempts);
  const streams = outcomes.filter((outcome) => typeof outcome !== 'string');
  t.equal(streams.length, socketLimits.perIdentity);
  const refusals = outcomes.filter((outcome) => typeof outcome === 'string');
  t.match(
    refusals.every((text) => /429 .*too_many_sockets_of_identity/.test(text)),
    true,
  );
  const other = await open(gateway, '/v1/vms', 'dashboard', 'ada');
  await other.nextMessage('snapshot');
  await Promise.all([...streams, other].map((stream) => stream.leave()));
  await until('no session is open', async () => {
    const metrics = parseMetrics(await (await gateway.fetch('/metrics')).text());
    return metrics.get('lablink_sessions')?.series.size === 0;
  });
});

t.test('opening streams counts against the rate limit', async (t) => {
  const gateway = await startGateway(t, await createDatabase(), { requestsPerMinute: 2 });
  for (let n = 0; n < 2; n++) await (await open(gateway, '/v1/vms', 'admin')).leave();
  await t.rejects(open(gateway, '/v1/vms', 'admin'), /429 .*rate_limited/);
});

t.test('a token that expires ends its stream', async (t) => {
  const gateway = await startGateway(t, await createDatabase(), { jwtSecrets: [SECRET] });
  const token = signToken({ role: 'admin', sub: 'ada', ttlSeconds: 2 }, SECRET);
  const authorization = `Bearer ${token}`;
  const stream = await openEventStream(`${gateway.url}/v1/vms`, { authorization });
  await stream.ended;
  t.same(stream.close, { code: 4401, reason: 'token missing or expired' });
  await t.rejects(
    openEventStream(`${gateway.url}/v1/vms`, { authorization }),
    /401 .*token_expired/,
  );
});

t.test('keep-alive comments come, and keep a quiet stream', async (t) => {
  const gateway = await startGateway(t, await createDatabase(), {
    timing: { pingIntervalMs: 100 },
  });
  const stream = await open(gateway, '/v1/vms', 'admin');
  await until('many heartbeats passed', () => stream.comments > 10);
  t.equal(stream.close, undefined);
  await stream.leave();
});

t.test('a client that reads nothing costs a bounded amount, and is closed', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database, {
    timing: { pingIntervalMs: 1_000, clientTimeoutMs: 2_000 },
  });
  await fill(database);
  const stalled = await open(gateway, '/v1/vms', 'admin');
  stalled.response.pause();
  const reader = FleetModel.ofAdmin(await open(gateway, '/v1/vms', 'admin'));
  let mostUnsent = 0;
  await until('the stalled client is closed', async () => {
    await database.query(`UPDATE vms SET email = gen_random_uuid()::text`);
    await reader.untilTable(database);
    const metrics = parseMetrics(await (await gateway.fetch('/metrics')).text());
    const unsent = metrics.get('lablink_unsent_bytes')?.series.values() ?? [];
    mostUnsent = Math.max(mostUnsent, ...unsent);
    const closed = metrics.get('lablink_sessions_closed_total')?.series;
    return closed?.get('lablink_sessions_closed_total{by="gateway",code="4408"}') === 1;
  });
  t.ok(mostUnsent < 1_000_000, `at most ${mostUnsent} bytes waited`);
});

t.test('a slow reader gets the latest state', async (t) => {
  const database = await createDatabase();
  // On a slow machine the reader pauses for longer than two heartbeats.
  const gateway = await startGateway(t, database, { timing: { pingIntervalMs: 600_000 } });
  await fill(database);
  const slow = FleetModel.ofAdmin(await open(gateway, '/v1/vms', 'admin'));
  slow.client.response.pause();
  const witness = FleetModel.ofAdmin(await gateway.connect('/v1/vms', 'admin'));
  for (let n = 0; n < 20; n++) {
    await database.query(`UPDATE vms SET email = $1`, [`${n}@example.com`]);
    await witness.untilTable(database);
  }
  slow.client.response.resume();
  await slow.untilTable(database);
  t.ok(slow.client.messages.length < witness.client.messages.length, 'states were left out');
});

t.test('a stopping gateway ends its streams as a socket', async (t) => {
  const gateway = await startGateway(t, await createDatabase());
  const stream = await open(gateway, '/v1/vms', 'admin');
  await stream.nextMessage('snapshot');
  await gateway.app.close();
  await stream.ended;
  t.same(stream.close, { code: 1012, reason: 'restarting' });
});

t.test('before the table is read, the answer is 503', async (t) => {
  const database = await createDatabase();
  await database.query('ALTER TABLE vms RENAME TO vms_away');
  const gateway = await startGateway(t, database, { waitReady: false });
  await t.rejects(open(gateway, '/v1/vms', 'admin'), /503 .*not_ready/);
});

t.test('curl reads a stream', { skip: !hasCurl() && 'no curl' }, async (t) => {
  const { database, gateway } = await started(t, 1);
  const token = await gateway.token('agent', 'vm-1');
  const args = ['-sN', '-H', 'Accept: text/event-stream', '-H', `Authorization: Bearer ${token}`];
  const curl = spawn('curl', [...args, `${gateway.url}/v1/vms/vm-1`]);
  t.teardown(() => curl.kill());
  let output = '';
  curl.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await until('the state came', () => output.includes('data: {"type":"status"'));
  await database.query(`UPDATE vms SET status = 'in-use', crd_command = 'run'`);
  await until('the change came', () => output.includes('data: {"type":"assignment"'));
});

const SECRET = 'another secret that only this test knows, of enough bytes';

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Fills the table with more than the buffers of a connection hold. */
async function fill(database: TestDatabase): Promise<void> {
  await database.query(`
    INSERT INTO vms (hostname, status, crd_command)
    SELECT 'vm-' || n, 'in-use', repeat('x', 20000) FROM generate_series(1, 300) n`);
}
