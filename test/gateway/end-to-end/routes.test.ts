// Every route: its answer on success, every problem that its document names, and the arrival of
// each change through the feed.

import { randomUUID } from 'node:crypto';
import t from 'tap';
import { createApi } from '../../helpers/api.js';
import { startServer } from '../../helpers/database.js';
import { startGateway, type TestGatewayOptions } from '../../helpers/gateway.js';
import type { Message } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

const { createDatabase } = await startServer(t);

async function start(t: Parameters<typeof startGateway>[0], options?: TestGatewayOptions) {
  const database = await createDatabase();
  const gateway = await startGateway(t, database, options);
  return { database, gateway, api: await createApi(gateway) };
}

const problem = (status: number, code: string) => ({ status, json: { status, code } });

t.test('a VM is registered, changed and removed, and its sockets receive each step', async (t) => {
  const { gateway, api } = await start(t);
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const dashboard = await gateway.connect('/v1/vms', 'dashboard');
  await agent.nextMessage('absent');
  await dashboard.nextMessage('snapshot');
  /** The next change of a row that the dashboard receives. */
  const shown = async (op: string): Promise<unknown> => {
    const holds = ({ type, changes }: Message) =>
      type === 'changes' && (changes as { op: string }[]).some((change) => change.op === op);
    const { changes } = await dashboard.next(holds);
    return (changes as { op: string; vm?: unknown }[]).find((change) => change.op === op);
  };

  const byAgent = await createApi(gateway, 'agent', 'vm-1');
  const made = await byAgent('PUT', '/v1/vms/vm-1');
  t.match(made, { status: 201, json: { hostname: 'vm-1', status: 'available', email: null } });
  t.same((await agent.nextMessage('status')).vm, made.json, 'the answer is the row that is pushed');
  t.match(await shown('upsert'), { vm: { hostname: 'vm-1', status: 'available' } });
  const again = await byAgent('PUT', '/v1/vms/vm-1', {});
  t.same([again.status, again.json], [200, made.json]);
  t.equal(again.headers.get('etag'), `"${(made.json as { version: number }).version}"`);
  t.same((await api('GET', '/v1/vms/vm-1')).json, made.json);

  const assigned = await api('PATCH', '/v1/vms/vm-1', {
    ...{ status: 'in-use', email: 'ada@x.y', crd_command: 'run' },
  });
  t.equal(assigned.status, 200);
  t.same((await agent.nextMessage('assignment')).vm, assigned.json);
  const upsert = await shown('upsert');
  t.match(upsert, { vm: { email: 'ada@x.y' } });
  t.notMatch(JSON.stringify(upsert), 'crd_command');

  const failed = await api('PATCH', '/v1/vms/vm-1', { status: 'failed' });
  t.same((await agent.nextMessage('status')).vm, failed.json);
  const gone = await api('DELETE', '/v1/vms/vm-1');
  t.same([gone.status, gone.text], [204, '']);
  t.same(await agent.nextMessage('absent'), { type: 'absent', hostname: 'vm-1' });
  t.same(await shown('delete'), { op: 'delete', hostname: 'vm-1' });
  t.match(await api('DELETE', '/v1/vms/vm-1'), problem(404, 'vm_not_found'));
});

t.test('assignments and releases arrive through the feed too', async (t) => {
  const { gateway, api } = await start(t);
  await api('PUT', '/v1/vms/vm-1');
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  await agent.nextMessage('status');
  const email = 'ada@x.y';
  const given = await api('POST', '/v1/assignments', { email, crd_command: 'run 1' });
  t.equal(given.status, 201);
  t.same((await agent.nextMessage('assignment')).vm, given.json);
  const kept = await api('POST', '/v1/assignments', { email, crd_command: 'run 2' });
  t.equal(kept.status, 200);
  t.same((await agent.nextMessage('assignment')).vm, kept.json);
  const { assignment_id } = kept.json as { assignment_id: string };
  const freed = await api('DELETE', `/v1/assignments/${assignment_id}`);
  t.same((await agent.nextMessage('status')).vm, freed.json);
  t.match(await api('DELETE', '/v1/vms?confirm=1'), { status: 200, json: { deleted: 1 } });
  await agent.nextMessage('absent');
});

t.test('each change is recorded with the user and the request id', async (t) => {
  const { gateway, api } = await start(t);
  const agent = await createApi(gateway, 'agent', 'vm-1');
  const boss = await createApi(gateway, 'admin', 'boss');
  await agent('PUT', '/v1/vms/vm-1');
  await boss('POST', '/v1/assignments', { email: 'ada@x.y', crd_command: 'secret' });
  await boss('PATCH', '/v1/vms/vm-1', { email: 'bob@x.y', reassign: true });
  await boss('DELETE', '/v1/vms/vm-1');
  const page = await api('GET', '/v1/events');
  t.equal(page.status, 200);
  const { events } = page.json as { events: { request_id: string }[] };
  const by = (actor: string, op: string, more: object) => ({
    actor,
    op,
    hostname: 'vm-1',
    ...more,
  });
  t.match(events, [
    by('admin:boss', 'delete', { old_email: 'bob@x.y' }),
    by('admin:boss', 'update', { old_email: 'ada@x.y', new_email: 'bob@x.y' }),
    by('admin:boss', 'update', { new_email: 'ada@x.y', crd_command_changed: true }),
    by('agent:vm-1', 'insert', { new_status: 'available' }),
  ]);
  t.equal(new Set(events.map(({ request_id }) => request_id)).size, 4);
  t.notMatch(page.text, 'secret');
  t.same((await api('GET', '/v1/vms/vm-1/events')).json, page.json, 'also when the VM is gone');
  const adas = (await api('GET', '/v1/events?email=ada@x.y')).json as { events: unknown[] };
  t.equal(adas.events.length, 2, 'when she got it, and when she lost it');
  const others = (await api('GET', '/v1/vms/vm-2/events')).json;
  t.same(others, { events: [], next: null });
});

t.test('the statistics count the fleet', async (t) => {
  const { database, gateway, api } = await start(t);
  t.same((await api('GET', '/v1/stats')).json, { total: 0, assigned: 0, by_status: {} });
  await database.query(
    `INSERT INTO vms (hostname, status, email) VALUES ('a', 'in-use', 'x'), ('b', 'failed', 'x'),
     ('c', 'available', NULL), ('d', '__proto__', NULL)`,
  );
  const text = (await (await gateway.fetch('/v1/stats', 'dashboard')).text()).replaceAll('"', '');
  t.equal(text, '{total:4,assigned:2,by_status:{__proto__:1,available:1,failed:1,in-use:1}}');
});

t.test('a row is shown to a dashboard without its command', async (t) => {
  const { gateway, api } = await start(t);
  await api('PUT', '/v1/vms/vm-1');
  await api('POST', '/v1/assignments', { email: 'ada@x.y', crd_command: 'secret' });
  const dashboard = await createApi(gateway, 'dashboard');
  for (const path of ['/v1/vms', '/v1/vms/vm-1', '/v1/vms/vm-1?wait=0']) {
    const answer = await dashboard('GET', path);
    t.equal(answer.status, 200);
    t.match(answer.text, 'ada@x.y');
    t.notMatch(answer.text, /secret|crd_command/);
  }
});

const REFUSED: readonly [string, string, unknown, number, string][] = [
  ['PUT', `/v1/vms/${'x'.repeat(256)}`, undefined, 400, 'invalid_hostname'],
  ['PUT', '/v1/vms/', undefined, 400, 'invalid_hostname'],
  ['PUT', '/v1/vms/free', { status: 'failed' }, 400, 'invalid_request'],
  ['PUT', '/v1/vms/free', [], 400, 'invalid_request'],
  ['PUT', '/v1/vms/free', null, 400, 'invalid_request'],
  ['PUT', '/v1/vms/a%00b', undefined, 400, 'invalid_hostname'],
  ['GET', '/v1/vms/a%00b', undefined, 400, 'invalid_hostname'],
  ['GET', '/v1/vms/a%00b/events', undefined, 400, 'invalid_hostname'],
  ['DELETE', '/v1/vms/a%00b', undefined, 400, 'invalid_hostname'],
  ['PATCH', '/v1/vms/a%00b', { status: 'failed' }, 400, 'invalid_hostname'],
  ['PATCH', '/v1/vms/free', { status: 'lost' }, 400, 'unknown_status'],
  ['PATCH', '/v1/vms/free', { status: 'in-use' }, 400, 'contradictory_change'],
  ['PATCH', '/v1/vms/free', { status: 'available', email: 'x' }, 400, 'contradictory_change'],
  ['PATCH', '/v1/vms/free', {}, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { status: 'failed', more: 1 }, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { email: 'x'.repeat(256) }, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { email: '' }, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { email: 'a\0b' }, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { email: 'a\ud800b' }, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { email: null }, 400, 'invalid_request'],
  ['PATCH', '/v1/vms/free', { email: 'x' }, 409, 'vm_not_in_use'],
  ['PATCH', '/v1/vms/free', { crd_command: 'x' }, 409, 'vm_not_in_use'],
  ['PATCH', '/v1/vms/adas', { email: 'bob@x.y' }, 409, 'assigned_to_another'],
  ['PATCH', '/v1/vms/adas', { status: 'in-use', email: 'b' }, 409, 'assigned_to_another'],
  ['PATCH', '/v1/vms/none', { status: 'failed' }, 404, 'vm_not_found'],
  ['GET', '/v1/vms/none', undefined, 404, 'vm_not_found'],
  ['DELETE', '/v1/vms/none', undefined, 404, 'vm_not_found'],
  ['DELETE', '/v1/vms?confirm=3', undefined, 409, 'wrong_count'],
  ['DELETE', '/v1/vms?confirm=1.5', undefined, 400, 'invalid_request'],
  ['DELETE', '/v1/vms?confirm=true', undefined, 400, 'invalid_request'],
  ['DELETE', '/v1/vms?confirm=', undefined, 400, 'invalid_request'],
  ['DELETE', '/v1/vms?confirm=-2', undefined, 400, 'invalid_request'],
  ['DELETE', '/v1/vms?confirm=2&confirm=2', undefined, 400, 'invalid_request'],
  ['DELETE', '/v1/vms', undefined, 400, 'invalid_request'],
  ['POST', '/v1/assignments', {}, 400, 'invalid_request'],
  ['POST', '/v1/assignments', { email: 5 }, 400, 'invalid_request'],
  ['POST', '/v1/assignments', { email: 'x', crd_command: null }, 400, 'invalid_request'],
  ['POST', '/v1/assignments', { email: 'x', crd_command: 'a\0' }, 400, 'invalid_request'],
  [
    'POST',
    '/v1/assignments',
    { email: 'x', crd_command: 'a'.repeat(65_536) },
    413,
    'body_too_large',
  ],
  ['DELETE', '/v1/assignments/1', undefined, 400, 'invalid_request'],
  ['DELETE', `/v1/assignments/${randomUUID()}`, undefined, 404, 'assignment_not_found'],
  ['GET', '/v1/vms?limit=0', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?limit=1001', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?limit=ten', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?sort=email', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?status=a&status=b', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?email=%00', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?status=%00', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms?after=x', undefined, 400, 'invalid_cursor'],
  ['GET', '/v1/vms?after=1&sort=updated_at', undefined, 400, 'invalid_cursor'],
  ['GET', '/v1/vms?sort=updated_at&after=1@2026-02-30T00:00:00', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms/free?wait=61', undefined, 400, 'invalid_request'],
  ['GET', '/v1/vms/free?wait=1&version=-1', undefined, 400, 'invalid_request'],
  ['GET', '/v1/events?after=0', undefined, 400, 'invalid_request'],
  ['GET', '/v1/events?after=1e3', undefined, 400, 'invalid_request'],
  ['GET', `/v1/events?after=${'9'.repeat(19)}`, undefined, 400, 'invalid_request'],
  ['GET', `/v1/vms/${'x'.repeat(4_000)}`, undefined, 414, 'uri_too_long'],
  ['POST', '/v1/vms', {}, 405, 'method_not_allowed'],
  ['PUT', '/v1/assignments', {}, 405, 'method_not_allowed'],
  ['DELETE', '/v1/events', undefined, 405, 'method_not_allowed'],
  ['POST', '/health/ready', {}, 405, 'method_not_allowed'],
];

t.test('an invalid request is rejected with its code and changes nothing', async (t) => {
  const { database, api } = await start(t);
  await database.query(
    `INSERT INTO vms (hostname, status, email) VALUES ('free', 'available', NULL), ('adas', 'in-use', 'ada@x.y')`,
  );
  const table = () => database.query('SELECT * FROM vms ORDER BY id');
  const before = await table();
  for (const [method, path, body, status, code] of REFUSED) {
    const answer = await api(method, path, body);
    t.match(answer, problem(status, code), `${method} ${path.slice(0, 60)} ${code}`);
  }
  const stale = { 'if-match': '"1"' };
  const [version] = await database.query<{ version: string }>(
    `SELECT version FROM vms WHERE hostname = 'free'`,
  );
  for (const [method, body] of [
    ['PATCH', { status: 'failed' }],
    ['DELETE', undefined],
  ] as const) {
    const answer = await api(method, '/v1/vms/free', body, stale);
    t.match(answer, problem(412, 'version_mismatch'));
    t.equal(answer.headers.get('etag'), `"${version?.version}"`);
  }
  t.same(await table(), before);
});

t.test('no route is open without a token', async (t) => {
  const { gateway } = await start(t);
  for (const [method, path] of [
    ['GET', '/v1/vms'],
    ['GET', '/v1/vms/vm-1'],
    ['PUT', '/v1/vms/vm-1'],
    ['PATCH', '/v1/vms/vm-1'],
    ['DELETE', '/v1/vms/vm-1'],
    ['DELETE', '/v1/vms?confirm=9'],
    ['POST', '/v1/assignments'],
    ['DELETE', `/v1/assignments/${randomUUID()}`],
    ['GET', '/v1/events'],
    ['GET', '/v1/vms/vm-1/events'],
    ['GET', '/v1/stats'],
  ] as const) {
    const response = await fetch(gateway.url + path, { method });
    t.equal(response.status, 401, `${method} ${path}`);
    t.match(await response.json(), { code: 'token_missing' });
  }
});

t.test('a client past its rate limit gets Retry-After, and other clients are served', async (t) => {
  const { gateway, api } = await start(t, { requestsPerMinute: 5 });
  const statuses: number[] = [];
  for (let n = 0; n < 7; n++) statuses.push((await api('GET', '/v1/stats')).status);
  t.same(statuses, [200, 200, 200, 200, 200, 429, 429]);
  const refused = await api('GET', '/v1/vms/vm-1');
  t.match(refused, problem(429, 'rate_limited'), 'whatever the route');
  t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/);
  t.match(refused.headers.get('content-type'), /^application\/problem\+json/);
  t.equal((await (await createApi(gateway, 'admin', 'other'))('GET', '/v1/stats')).status, 200);
  t.equal((await (await createApi(gateway, 'dashboard'))('GET', '/v1/stats')).status, 200);
  t.equal((await fetch(`${gateway.url}/health/live`)).status, 200);
  const socket = await gateway.connect('/v1/vms', 'admin');
  t.match(await socket.next(), { type: 'welcome' }, 'sockets have limits of their own');
});

t.test('rejected requests count against the rate limit once the client is known', async (t) => {
  const { gateway } = await start(t, { requestsPerMinute: 3 });
  const statuses = async (role: 'agent' | 'dashboard', paths: readonly string[]) => {
    const api = await createApi(gateway, role, 'vm-1');
    const answers: number[] = [];
    for (const path of paths) answers.push((await api('GET', path)).status);
    return answers;
  };
  const own = '/v1/vms/vm-1';
  t.same(
    await statuses('agent', ['/v1/events', '/v1/vms', '/v1/stats', own]),
    [403, 403, 403, 429],
  );
  const wrong = ['/v1/vms?limit=0', '/v1/vms?after=x', '/v1/vms?limit=ten', '/v1/vms'];
  t.same(await statuses('dashboard', wrong), [400, 400, 400, 429]);

  const proxied = { 'x-forwarded-for': '203.0.113.7' };
  const authorization = `Bearer ${await gateway.token('dashboard', 'prometheus')}`;
  const metrics = async (headers: Record<string, string>) =>
    (await fetch(`${gateway.url}/metrics`, { headers })).status;
  for (let n = 0; n < 3; n++) t.equal(await metrics({ ...proxied, authorization }), 200);
  t.equal(await metrics({ ...proxied, authorization }), 429);
  t.equal(await metrics({}), 200, 'without a token there is nobody to count');
  for (let n = 0; n < 5; n++) t.equal((await fetch(gateway.url + own)).status, 401);
});

t.test('before the table has been read, waiting is rejected and reading is not', async (t) => {
  const database = await createDatabase();
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const gateway = await startGateway(t, database, {
    waitReady: false,
    listenDatabase: { ...database.config, database: 'there_is_none' },
  });
  const api = await createApi(gateway);
  const isRead = async () => (await api('GET', '/v1/vms/vm-1')).status === 200;
  await until('the revoked tokens are read', isRead);
  const waiting = await api('GET', '/v1/vms/vm-1?wait=1');
  t.match(waiting, problem(503, 'not_ready'));
  t.equal(waiting.headers.get('retry-after'), '1');
  t.equal((await api('GET', '/v1/vms/vm-1')).status, 200);
  t.equal((await api('POST', '/v1/assignments', { email: 'ada@x.y' })).status, 201);
});

t.test('hostnames of every kind work in a path', async (t) => {
  const { api } = await start(t);
  for (const [segment, hostname] of [
    ['~.', '.'],
    ['~..', '..'],
    ['a%2Fb', 'a/b'],
    ['%F0%9F%98%80', '😀'],
    ['a%20b', 'a b'],
    ['a%3Fb%23c', 'a?b#c'],
    ['constructor', 'constructor'],
    ['__proto__', '__proto__'],
  ] as const) {
    t.match(await api('PUT', `/v1/vms/${segment}`), { status: 201, json: { hostname } });
    await until('the fleet knows it', async () => {
      const { status } = await api('GET', `/v1/vms/${segment}?wait=1`);
      return status === 200;
    });
    t.match((await api('GET', `/v1/vms/${segment}/events`)).json, { events: [{ hostname }] });
  }
});

t.test(
  'a version that the client has is not sent again, and a malformed tag is refused',
  async (t) => {
    const { api } = await start(t);
    const etag = (await api('PUT', '/v1/vms/tagged')).headers.get('etag') ?? '';
    for (const tag of [etag, `W/${etag}`, `"0", ${etag}`, '*']) {
      const answer = await api('GET', '/v1/vms/tagged', undefined, { 'if-none-match': tag });
      t.match(
        { ...answer, tag: answer.headers.get('etag') },
        { status: 304, text: '', tag: etag },
        tag,
      );
    }
    const other = await api('GET', '/v1/vms/tagged', undefined, { 'if-none-match': '"0"' });
    t.equal(other.status, 200);
    const change = { status: 'failed' };
    for (const [tag, status] of [
      [etag.replaceAll('"', ''), 400],
      [`W/${etag}`, 412],
      [etag.replace(/"$/, '-gzip"'), 412],
      [etag, 200],
    ] as const)
      t.equal(
        (await api('PATCH', '/v1/vms/tagged', change, { 'if-match': tag })).status,
        status,
        tag,
      );
    t.equal((await api('DELETE', '/v1/vms/tagged', undefined, { 'if-match': '17' })).status, 400);
  },
);
