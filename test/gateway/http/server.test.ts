// Every error over HTTP is a problem with a stable code, and reveals no secret.

import t from 'tap';
import { pino } from 'pino';
import { registerHealth } from '../../../src/gateway/http/routes/health.js';
import { createServer } from '../../../src/gateway/http/server.js';

interface Logged {
  readonly level: number;
  readonly msg: string;
}

/** Creates a server with a route that fails with a given error, and collects its log. */
function failing(fail: () => unknown) {
  const logged: Logged[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => logged.push(JSON.parse(line) as Logged) });
  const server = createServer(log, false);
  server.get('/', async () => fail());
  server.post('/', async () => 'ok');
  return { server, logged };
}

const withCode = (code: string) => Object.assign(new Error(`secret of ${code}`), { code });

t.test('an unreachable database is 503 with Retry-After', async (t) => {
  for (const error of [
    withCode('57P01'),
    withCode('08006'),
    withCode('53300'),
    withCode('ECONNREFUSED'),
    Object.assign(withCode('ENOENT'), { syscall: 'connect' }),
    withCode('EAI_AGAIN'),
    withCode('ENETUNREACH'),
    new Error('Client has encountered a connection error and is not queryable'),
    new Error('Client was closed and is not queryable'),
    new Error('Connection terminated unexpectedly'),
    new Error('Connection terminated due to connection timeout'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
  ]) {
    const { server, logged } = failing(() => {
      throw error;
    });
    const response = await server.inject('/');
    t.equal(response.statusCode, 503, error.message);
    t.equal(response.headers['retry-after'], '1');
    t.match(response.headers['content-type'], /^application\/problem\+json/);
    t.same(response.json(), {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      code: 'database_unavailable',
      detail: 'The database does not answer; try again.',
    });
    t.match(logged, [{ level: 40 }]);
  }
});

t.test('a database that takes no writes is 503 with a code of its own', async (t) => {
  const { server, logged } = failing(() => {
    throw withCode('25006');
  });
  const response = await server.inject('/');
  t.equal(response.statusCode, 503);
  t.ok(response.headers['retry-after']);
  t.match(response.json(), { code: 'database_read_only' });
  t.notMatch(response.body, 'secret');
  t.match(logged, [{ level: 40 }]);
});

t.test('a schema that lacks something is 503, and no defect of the gateway', async (t) => {
  for (const code of ['42P01', '42703', '42883', '42501', '3F000', '55000', '2200H']) {
    const { server, logged } = failing(() => {
      throw withCode(code);
    });
    const response = await server.inject('/');
    t.equal(response.statusCode, 503, code);
    t.match(response.json(), { code: 'schema_mismatch' });
    t.notMatch(response.body, 'secret');
    t.match(logged, [{ level: 40 }]);
  }
});

t.test('a busy database is 503 with Retry-After', async (t) => {
  for (const code of ['55P03', '40P01', '40001', '57014']) {
    const { server, logged } = failing(() => {
      throw withCode(code);
    });
    const response = await server.inject('/');
    t.equal(response.statusCode, 503, code);
    t.equal(response.headers['retry-after'], '1');
    t.match(response.json(), { code: 'database_busy' });
    t.notMatch(response.body, 'secret');
    t.match(logged, [{ level: 40 }]);
  }
});

t.test('a value that the database cannot store is 400', async (t) => {
  for (const code of ['22001', '22008', '22021', '22P02', '22P05']) {
    const { server, logged } = failing(() => {
      throw withCode(code);
    });
    const response = await server.inject('/');
    t.equal(response.statusCode, 400, code);
    t.match(response.json(), { code: 'invalid_request' });
    t.notMatch(response.body, 'secret');
    t.same(logged, []);
  }
});

t.test('any other error is 500, is logged, and reveals nothing', async (t) => {
  for (const error of [new Error('secret'), withCode('42601'), withCode('XX000')]) {
    const { server, logged } = failing(() => {
      throw error;
    });
    const response = await server.inject('/');
    t.equal(response.statusCode, 500);
    t.match(response.json(), { code: 'internal_error' });
    t.notMatch(response.body, 'secret');
    t.match(logged, [{ level: 50, msg: 'a request failed' }]);
  }
});

t.test('each invalid request is a problem with its own code', async (t) => {
  const { server, logged } = failing(() => 'ok');
  const json = { 'content-type': 'application/json' };
  const large = JSON.stringify('x'.repeat(2 ** 20));
  for (const [request, status, code] of [
    [{ method: 'POST', url: '/', headers: json, payload: '{' }, 400, 'invalid_request'],
    [{ method: 'POST', url: '/', headers: json, payload: large }, 413, 'body_too_large'],
    [
      { method: 'POST', url: '/', headers: { 'content-type': 'text/x' }, payload: 'x' },
      415,
      'unsupported_media_type',
    ],
    [{ method: 'GET', url: '/%' }, 400, 'invalid_request'],
    [{ method: 'GET', url: '/nothing' }, 404, 'not_found'],
    [{ method: 'DELETE', url: '/' }, 404, 'not_found'],
  ] as const) {
    const response = await server.inject(request);
    t.equal(response.statusCode, status);
    t.match(response.json(), { status, code });
  }
  t.same(logged, []);
});

t.test('the process is live, and ready unless there is a reason against it', async (t) => {
  const { server } = failing(() => undefined);
  let trouble: string | undefined = 'The moon is in the way.';
  registerHealth(server, () => trouble);
  t.same((await server.inject('/health/live')).json(), { status: 'live' });
  const response = await server.inject('/health/ready');
  t.equal(response.statusCode, 503);
  t.match(response.json(), { code: 'not_ready', detail: trouble });
  trouble = undefined;
  t.same((await server.inject('/health/ready')).json(), { status: 'ready' });
});
