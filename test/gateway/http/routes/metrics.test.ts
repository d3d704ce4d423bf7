// The metrics are for clients on the same machine, and for tokens with the permission.

import t from 'tap';
import { pino } from 'pino';
import type { Role } from '../../../../src/gateway/auth/roles.js';
import type { Verifier } from '../../../../src/gateway/auth/token.js';
import { createAuthorize } from '../../../../src/gateway/http/request/access.js';
import { registerMetrics } from '../../../../src/gateway/http/routes/metrics.js';
import { createServer } from '../../../../src/gateway/http/server.js';

/** In this test a token is the name of its role. */
const verify: Verifier = (token) =>
  ['agent', 'dashboard', 'admin'].includes(token)
    ? { ok: true, identity: { sub: 'vm-1', role: token as Role, expiresAtMs: 0 } }
    : { ok: false, reason: 'invalid' };

const server = createServer(pino({ level: 'silent' }), true);
const allow = createAuthorize(verify, async () => undefined);
registerMetrics(server, allow, async () => ({
  contentType: 'text/x',
  text: 'up 1\n',
}));

async function ask(remoteAddress: string, headers: Record<string, string> = {}) {
  const response = await server.inject({ url: '/metrics', remoteAddress, headers });
  if (response.statusCode === 200) {
    t.equal(response.body, 'up 1\n');
    t.match(response.headers['content-type'], 'text/x');
    return 200;
  }
  return `${response.statusCode} ${response.json<{ code: string }>().code}`;
}

t.test('a client on the same machine needs no token', async (t) => {
  for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])
    t.equal(await ask(address), 200, address);
});

t.test('a request through a proxy on the same machine needs a token', async (t) => {
  for (const header of [
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Anything',
    'Forwarded',
    'X-Real-IP',
    'Via',
  ]) {
    t.equal(await ask('127.0.0.1', { [header]: '127.0.0.1' }), '401 token_missing', header);
  }
});

t.test('a client on another machine needs a token of an admin or a dashboard', async (t) => {
  for (const [address, headers] of [
    ['10.0.0.1', {}],
    ['::ffff:10.0.0.1', {}],
    // The client's own headers are not trusted, even with trusted proxies.
    ['10.0.0.1', { 'X-Forwarded-For': '127.0.0.1' }],
    ['127.0.0.1', { Via: '1.1 proxy' }],
  ] as const) {
    const bearing = (token: string) =>
      ask(address, { ...headers, Authorization: `Bearer ${token}` });
    t.equal(await ask(address, headers), '401 token_missing');
    t.equal(await bearing('forged'), '401 token_invalid');
    t.equal(await bearing('agent'), '403 not_allowed');
    t.equal(await bearing('dashboard'), 200);
    t.equal(await bearing('admin'), 200);
  }
});
