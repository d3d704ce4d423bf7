// The database becomes unavailable and returns, or another session holds a lock: the gateway says
// so, and recovers by itself.

import t, { type Test } from 'tap';
import pg from 'pg';
import { createApi } from '../../helpers/api.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';

const server = await startServer(t);

/** Another session that locks every row until it rolls back. */
async function holdRows(t: Test, { config }: TestDatabase): Promise<pg.Client> {
  const other = new pg.Client(config);
  await other.connect();
  t.teardown(() => other.end());
  await other.query('BEGIN');
  await other.query('SELECT FROM vms FOR UPDATE');
  return other;
}

t.test('a stopped database means 503 until it is back, and sockets stay open', async (t) => {
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway);
  await api('PUT', '/v1/vms/vm-1');
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const dashboard = await gateway.connect('/v1/vms', 'dashboard');
  await agent.nextMessage('status');
  await dashboard.nextMessage('snapshot');
  const { version } = (await api('GET', '/v1/vms/vm-1')).json as { version: number };
  const waiting = api('GET', `/v1/vms/vm-1?wait=60&version=${version}`);

  await server.stop();
  t.match(await agent.nextMessage('feed'), { live: false });
  t.match(await dashboard.nextMessage('feed'), { live: false });
  t.not(await gateway.notReady(), '');
  for (const [method, path, body] of [
    ['GET', '/v1/vms'],
    ['GET', '/v1/vms/vm-1'],
    ['PUT', '/v1/vms/vm-2'],
    ['PATCH', '/v1/vms/vm-1', { status: 'failed' }],
    ['DELETE', '/v1/vms/vm-1'],
    ['DELETE', '/v1/vms?confirm=1'],
    ['POST', '/v1/assignments', { email: 'ada@x.y' }],
    ['DELETE', '/v1/assignments/0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a'],
    ['GET', '/v1/events'],
    ['GET', '/v1/vms/vm-1/events'],
    ['GET', '/v1/stats'],
  ] as const) {
    const answer = await api(method, path, body);
    t.match(answer, { status: 503, json: { code: 'database_unavailable' } }, `${method} ${path}`);
    t.equal(answer.headers.get('retry-after'), '1');
  }
  t.equal((await fetch(`${gateway.url}/health/live`)).status, 200);
  t.equal((await api('GET', '/v1/vms/vm-1?wait=1&version=0')).status, 200, 'the fleet is there');

  await server.start();
  await gateway.ready();
  t.match(await agent.nextMessage('feed'), { live: true });
  t.match(await dashboard.nextMessage('feed'), { live: true });
  const given = await api('POST', '/v1/assignments', { email: 'ada@x.y' });
  t.equal(given.status, 201);
  t.same(
    (await agent.nextMessage('assignment')).vm,
    given.json,
    'on the socket that was there before',
  );
  t.same((await waiting).json, given.json, 'and to the one who waited all along');
});

t.test('a request for a locked row is answered as busy, and changes nothing', async (t) => {
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway);
  await api('PUT', '/v1/vms/vm-1');
  const other = await holdRows(t, database);
  const before = await database.query('SELECT * FROM vms');
  const asked = [
    api('PATCH', '/v1/vms/vm-1', { status: 'failed' }),
    api('DELETE', '/v1/vms/vm-1'),
    api('DELETE', '/v1/vms?confirm=1'),
    api('POST', '/v1/assignments', { email: 'ada@x.y' }),
  ];
  t.equal((await api('GET', '/v1/vms/vm-1')).status, 200, 'readers wait for nobody');
  for (const answer of await Promise.all(asked)) {
    t.match(answer, { status: 503, json: { code: 'database_busy' } });
    t.equal(answer.headers.get('retry-after'), '1');
  }
  t.same(await database.query('SELECT * FROM vms'), before);
  await other.query('ROLLBACK');
  t.equal((await api('POST', '/v1/assignments', { email: 'ada@x.y' })).status, 201);
});

t.test('a connection that is lost during a transaction is not used again', async (t) => {
  const database = await server.createDatabase();
  const gateway = await startGateway(t, database);
  const api = await createApi(gateway);
  await api('PUT', '/v1/vms/vm-1');
  const other = await holdRows(t, database);
  const asking = api('PATCH', '/v1/vms/vm-1', { status: 'failed' });
  await until('the request waits, and is ended', async () => {
    const ended = await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return ended.length > 0;
  });
  t.match(await asking, { status: 503, json: { code: 'database_unavailable' } });
  await other.query('ROLLBACK');
  for (let n = 0; n < 12; n++) t.equal((await api('GET', '/v1/vms')).status, 200);
  t.match(await api('PATCH', '/v1/vms/vm-1', { status: 'failed' }), { status: 200 });
});
