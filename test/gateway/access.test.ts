// Who may reach which URL, over HTTP and as WebSocket alike: refused before the upgrade, and with words of the
// problem. The token comes in a header or as a subprotocol, and never in the URL.

import { SignJWT } from 'jose';
import t from 'tap';
import { signToken } from '../../src/auth/token.js';
import type { Role } from '../../src/auth/roles.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { connect } from '../helpers/raw-client.js';
import { bearer, waysToAsk } from './ask.js';

const SECRET = 'the secret of this file, which has enough bytes';
const OLDER_SECRET = 'an older secret, still accepted for a while';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(
  `INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available'), ('vm-2', 'available')`,
);
const gateway = await startGateway(t, database, { jwtSecrets: [SECRET, OLDER_SECRET] });
const socketUrl = gateway.url.replace('http', 'ws');

const { overHttp, byUpgrade } = waysToAsk(gateway);

const tokenOf = (role: Role, sub = 'vm-1', ttlSeconds = 60) =>
  signToken({ role, sub, ttlSeconds }, SECRET);

const PATHS = { own: '/v1/vms/vm-1', other: '/v1/vms/vm-2', all: '/v1/vms' };

const ALLOWED: Readonly<Record<Role, readonly (keyof typeof PATHS)[]>> = {
  agent: ['own'],
  dashboard: ['own', 'other', 'all'],
  admin: ['own', 'other', 'all'],
};

for (const role of ['agent', 'dashboard', 'admin'] as const) {
  for (const place of ['own', 'other', 'all'] as const) {
    const allowed = ALLOWED[role].includes(place);
    t.test(`${role} at ${PATHS[place]}: ${allowed ? 'allowed' : 'refused'}`, async (t) => {
      const headers = bearer(await tokenOf(role));
      const http = await overHttp(PATHS[place], headers);
      const upgrade = await byUpgrade(PATHS[place], headers);
      t.equal(http.status, allowed ? 200 : 403);
      t.equal(upgrade.status, allowed ? 101 : 403);
      t.same([http.code, upgrade.code], Array(2).fill(allowed ? undefined : 'not_allowed'));
    });
  }
}

const claims = { sub: 'vm-1', role: 'admin' };
const key = Buffer.from(SECRET);
const signed = (payload: object, secret: Uint8Array = key, alg = 'HS256') =>
  new SignJWT({ ...payload }).setProtectedHeader({ alg }).sign(secret);
const inAMinute = Math.floor(Date.now() / 1000) + 60;
const unsigned = [{ alg: 'none' }, { ...claims, exp: inAMinute }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

const BAD: Readonly<Record<string, [Record<string, string>, string]>> = {
  'no token': [{}, 'token_missing'],
  'an empty one': [bearer(''), 'token_missing'],
  'another scheme': [{ authorization: `Basic ${btoa('vm-1:secret')}` }, 'token_missing'],
  'words after it': [bearer(`${await tokenOf('admin')} more`), 'token_missing'],
  'no JWT': [bearer('abc'), 'token_invalid'],
  'an expired one': [bearer(await tokenOf('admin', 'vm-1', -60)), 'token_expired'],
  'signed with another secret': [
    bearer(await signed({ ...claims, exp: inAMinute }, Buffer.from('x'.repeat(40)))),
    'token_invalid',
  ],
  'signed with another algorithm': [
    bearer(await signed({ ...claims, exp: inAMinute }, Buffer.alloc(64, key), 'HS512')),
    'token_invalid',
  ],
  'not signed': [bearer(`${unsigned}.`), 'token_invalid'],
  'changed after signing': [
    bearer((await tokenOf('agent')).replace(/\.(.)/, (_, c) => (c === 'e' ? '.f' : '.e'))),
    'token_invalid',
  ],
  'without an end': [bearer(await signed(claims)), 'token_invalid'],
  'without a subject': [bearer(await signed({ role: 'admin', exp: inAMinute })), 'token_invalid'],
  'of no role': [bearer(await signed({ sub: 'vm-1', exp: inAMinute })), 'token_invalid'],
  'of an unknown role': [
    bearer(await signed({ sub: 'vm-1', role: 'root', exp: inAMinute })),
    'token_invalid',
  ],
};

for (const [name, [headers, code]] of Object.entries(BAD)) {
  t.test(`a token that is ${name}: 401`, async (t) => {
    for (const path of Object.values(PATHS)) {
      for (const ask of [overHttp, byUpgrade]) {
        const answer = await ask(path, headers);
        t.same([answer.status, answer.code], [401, code]);
        t.equal(answer.headers.get('www-authenticate'), 'Bearer');
      }
    }
  });
}

t.test('a token in the URL is as good as none', async (t) => {
  const token = await tokenOf('admin');
  for (const name of ['token', 'access_token', 'jwt']) {
    const query = `?${name}=${token}`;
    t.equal((await overHttp(`/v1/vms/vm-1${query}`, {})).status, 401);
    t.equal((await byUpgrade(`/v1/vms${query}`, {})).status, 401);
  }
});

t.test('an older secret is accepted', async (t) => {
  const token = await signToken({ role: 'admin', sub: 'x', ttlSeconds: 60 }, OLDER_SECRET);
  t.equal((await overHttp('/v1/vms', bearer(token))).status, 200);
});

t.test('a token as subprotocol opens the socket, and is not echoed', async (t) => {
  const token = await tokenOf('agent');
  const client = await connect(`${socketUrl}/v1/vms/vm-1`, ['lablink.v1', `bearer.${token}`]);
  t.equal(client.ws.protocol, 'lablink.v1');
  t.match(await client.next(), { type: 'welcome' });
  await client.close();
  await t.rejects(
    connect(`${socketUrl}/v1/vms/vm-2`, ['lablink.v1', `bearer.${token}`]),
    /server response: 403/,
  );
  await t.rejects(connect(`${socketUrl}/v1/vms`, ['lablink.v1', 'bearer.']), /response: 401/);
  // RFC 6455 §4.1: a client that offered subprotocols and is given none of them fails.
  await t.rejects(connect(`${socketUrl}/v1/vms/vm-1`, [`bearer.${token}`]), /no subprotocol/);
});
