// Authorization: no request without the permission reaches a handler.

import t from 'tap';
import { pino } from 'pino';
import type { Verifier } from '../../../../src/gateway/auth/token.js';
import {
  createAuthorize,
  readHostname,
  requireIdentity,
} from '../../../../src/gateway/http/request/access.js';
import { createServer } from '../../../../src/gateway/http/server.js';

const verify: Verifier = (token) =>
  token === 'good'
    ? { ok: true, identity: { sub: 'vm-1', role: 'agent', expiresAtMs: 0 } }
    : { ok: false, reason: 'expired' };

function guarded() {
  const server = createServer(pino({ level: 'silent' }), false);
  const allow = createAuthorize(verify, async () => undefined);
  let handled = 0;
  server.get('/vms/:hostname', { preValidation: allow('watch-vm') }, async (request) => {
    handled++;
    return { sub: requireIdentity(request).sub, hostname: readHostname(request) };
  });
  server.get('/open', async (request) => [readHostname(request), requireIdentity(request).sub]);
  return { server, handled: () => handled };
}

const authorization = 'Bearer good';

t.test('the handler knows the identity and the hostname', async (t) => {
  const { server } = guarded();
  const response = await server.inject({ url: '/vms/vm-1', headers: { authorization } });
  t.same(response.json(), { sub: 'vm-1', hostname: 'vm-1' });
});

t.test(
  'without the permission the handler is never called, however late the response is sent',
  async (t) => {
    const { server, handled } = guarded();
    server.addHook('onSend', async () => new Promise((resolve) => setImmediate(resolve)));
    for (const [url, headers, code] of [
      ['/vms/vm-1', {}, 'token_missing'],
      ['/vms/vm-1', { authorization: 'Bearer old' }, 'token_expired'],
      ['/vms/vm-2', { authorization }, 'not_allowed'],
    ] as const) {
      const response = await server.inject({ url, headers });
      t.match(response.json(), { code });
    }
    t.equal(handled(), 0);
  },
);

t.test('reading the identity of a route without authorization is a bug', async (t) => {
  const { server } = guarded();
  const response = await server.inject({ url: '/open', headers: { authorization } });
  t.equal(response.statusCode, 500);
});
