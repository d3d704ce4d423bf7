// The rules for browsers: a page of another site opens no WebSocket and reads no answer, unless its
// site is on the list.

import { pino } from 'pino';
import t from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway, type TestGatewayOptions } from '../../helpers/gateway.js';
import { bearer, waysToAsk } from './ask.js';

const LISTED = 'https://lab.example.org';
const FOREIGN = [
  'https://evil.example',
  'http://lab.example.org',
  'https://lab.example.org:444',
  'https://lab.example.org.evil.example',
  'https://evil-lab.example.org',
  'null',
  'no origin',
  '',
];

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);

async function start(options: TestGatewayOptions = {}) {
  const gateway = await startGateway(t, database, options);
  const headers = bearer(await gateway.token('admin'));
  const offered = { 'sec-websocket-protocol': `bearer.${await gateway.token('admin')}` };
  return { ...waysToAsk(gateway), url: gateway.url, headers, offered };
}

const closed = await start();
const listing = await start({ allowedOrigins: [LISTED, 'http://localhost:5173'] });

t.test('a page of another site opens no WebSocket, even with a valid token', async (t) => {
  for (const { byUpgrade, headers, offered } of [closed, listing]) {
    for (const origin of FOREIGN) {
      for (const credentials of [headers, offered, {}]) {
        for (const path of ['/v1/vms', '/v1/vms/vm-1', '/health/live', '/nothing']) {
          const answer = await byUpgrade(path, { ...credentials, origin });
          t.same([answer.status, answer.code], [403, 'origin_not_allowed'], `${origin} ${path}`);
        }
      }
    }
  }
  t.equal((await closed.byUpgrade('/v1/vms', { ...closed.headers, origin: LISTED })).status, 403);
});

t.test('a page that asks over HTTP learns whether its origin was the reason', async (t) => {
  const ask = async (origin: string) => {
    const response = await fetch(`${closed.url}/v1/vms`, {
      headers: { ...closed.headers, 'x-page-origin': origin },
    });
    const { detail } = (await response.json()) as { detail?: string };
    return { status: response.status, detail };
  };
  t.match(await ask('https://lab.example.org'), {
    status: 403,
    detail: `the host "${new URL(closed.url).host}"`,
  });
  t.equal((await ask(closed.url)).status, 200);
});

t.test(
  'the gateway’s own page, a listed site and a client without a page open a WebSocket',
  async (t) => {
    for (const { byUpgrade, headers, url } of [closed, listing]) {
      const own = url.replace('127.0.0.1', 'LOCALHOST');
      const host = new URL(own).host;
      t.equal((await byUpgrade('/v1/vms', headers)).status, 101);
      t.equal((await byUpgrade('/v1/vms', { ...headers, origin: url })).status, 101);
      t.equal((await byUpgrade('/v1/vms', { ...headers, host, origin: own })).status, 101);
      t.equal((await byUpgrade('/v1/vms', { ...headers, host, origin: url })).status, 403);
      for (const [origin, asked] of [
        ['https://gateway.example', 'gateway.example:443'],
        ['https://gateway.example', 'gateway.example'],
        ['http://gateway.example', 'gateway.example:80'],
      ] as const) {
        t.equal((await byUpgrade('/v1/vms', { ...headers, host: asked, origin })).status, 101);
      }
    }
    for (const origin of [LISTED, 'http://localhost:5173']) {
      t.equal((await listing.byUpgrade('/v1/vms', { ...listing.headers, origin })).status, 101);
      t.equal((await listing.byUpgrade('/v1/vms', { origin })).status, 401, 'with a good token');
    }
  },
);

t.test('behind a trusted proxy, the host is the one that the client requested', async (t) => {
  const forwarded = { 'x-forwarded-host': 'gateway.example', origin: 'https://gateway.example' };
  const { byUpgrade, headers } = await start({ trustProxy: true });
  t.equal((await byUpgrade('/v1/vms', { ...headers, ...forwarded })).status, 101);
  const refused = await closed.byUpgrade('/v1/vms', { ...closed.headers, ...forwarded });
  t.equal(refused.status, 403, 'and nobody else is believed');
});

t.test('a page of a listed site may preflight, and reads answers and problems', async (t) => {
  const { url, headers } = listing;
  const preflight = (origin: string) =>
    fetch(`${url}/v1/vms/vm-1`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'PATCH' },
    });
  const allowed = await preflight(LISTED);
  t.equal(allowed.status, 204);
  t.match(Object.fromEntries(allowed.headers), {
    'access-control-allow-origin': LISTED,
    'access-control-allow-methods': 'GET, PUT, PATCH, POST, DELETE',
    'access-control-allow-headers': 'Authorization, Content-Type, If-Match, If-None-Match',
    vary: 'Origin',
  });
  t.equal(allowed.headers.get('access-control-allow-credentials'), null);
  for (const [path, given, status] of [
    ['/v1/vms/vm-1', headers, 200],
    ['/v1/vms/vm-2', headers, 404],
    ['/v1/vms', {}, 401],
    ['/nothing', headers, 404],
  ] as const) {
    const answer = await fetch(url + path, { headers: { ...given, origin: LISTED } });
    t.equal(answer.status, status);
    t.equal(answer.headers.get('access-control-allow-origin'), LISTED, path);
    t.match(answer.headers.get('access-control-expose-headers'), /ETag.*WWW-Authenticate/);
  }
  for (const origin of FOREIGN) {
    const answer = await fetch(`${url}/v1/vms`, { headers: { ...headers, origin } });
    t.equal(answer.status, 200);
    t.equal(answer.headers.get('access-control-allow-origin'), null, origin);
    t.equal((await preflight(origin)).headers.get('access-control-allow-origin'), null);
  }
});

t.test('without a list, no other site may read an answer', async (t) => {
  const { url, headers } = closed;
  const answer = await fetch(`${url}/v1/vms`, { headers: { ...headers, origin: LISTED } });
  t.equal(answer.status, 200);
  t.notOk([...answer.headers.keys()].some((name) => name.startsWith('access-control')));
  const asked = await fetch(`${url}/v1/vms`, { method: 'OPTIONS', headers: { origin: LISTED } });
  t.match(await asked.json(), { status: 405, code: 'method_not_allowed' });
});

t.test('an OPTIONS request that is no preflight is not answered in plain text', async (t) => {
  const answer = await fetch(`${listing.url}/v1/vms`, { method: 'OPTIONS' });
  t.same([answer.status, await answer.text()], [204, '']);
});

t.test('no answer is a page, or may be embedded in a page', async (t) => {
  for (const { url, headers } of [closed, listing]) {
    for (const [path, given, type] of [
      ['/v1/vms', headers, 'application/json; charset=utf-8'],
      ['/v1/vms', {}, 'application/problem+json; charset=utf-8'],
      ['/v1/vms?unknown=1', headers, 'application/problem+json; charset=utf-8'],
      ['/nothing', {}, 'application/problem+json; charset=utf-8'],
      ['/health/live', {}, 'application/json; charset=utf-8'],
    ] as const) {
      const answer = await fetch(url + path, { headers: given });
      const told = Object.fromEntries(answer.headers);
      t.equal(told['content-type'], type, path);
      t.equal(
        told['content-security-policy'],
        "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
      );
      t.match(told, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
      t.notOk(told['strict-transport-security'], 'for the proxy that ends TLS to say');
      t.notOk(told['x-powered-by']);
    }
  }
});

t.test('an unknown URL opens no socket and is not logged', async (t) => {
  const logged: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line) => void logged.push(line) });
  const { byUpgrade } = await start({ log, allowedOrigins: [LISTED] });
  for (const path of ['/health/live', '/health/ready', '/nothing']) {
    const answer = await byUpgrade(`${path}?token=secret`, {});
    t.same([answer.status, answer.code], [404, 'not_found'], path);
  }
  t.notMatch(logged.join(''), 'secret');
});
