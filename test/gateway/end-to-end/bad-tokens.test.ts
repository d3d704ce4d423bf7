// Each kind of invalid token is rejected as documented: over HTTP, before an upgrade, and as a
// renewal on an open socket. The log contains no token, valid or not.

import { createHmac } from 'node:crypto';
import { pino } from 'pino';
import t from 'tap';
import { signToken } from '../../../src/gateway/auth/token.js';
import type { Role } from '../../../src/gateway/auth/roles.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { ALGORITHMS, keyPair } from '../../helpers/key-pairs.js';
import { connect, type RawClient } from '../../helpers/raw-client.js';
import { bearer, waysToAsk } from './ask.js';

const SECRET = 'the secret of this file, which has enough bytes';
const PATHS = ['/v1/vms/vm-1', '/v1/vms'];

const pairs = ALGORITHMS.map(keyPair);
const logged: string[] = [];

const { createDatabase } = await startServer(t);
const gateway = await startGateway(t, await createDatabase(), {
  jwtSecrets: [SECRET],
  jwtPublicKeys: pairs,
  log: pino({ level: 'trace' }, { write: (line) => void logged.push(line) }),
});
const { overHttp, byUpgrade } = waysToAsk(gateway);

const NOW_S = Math.floor(Date.now() / 1000);
const CLAIMS = { sub: 'vm-1', role: 'admin', exp: NOW_S + 600 };

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs any header and claims with a valid HMAC. */
function forge(header: object, claims: object, secret: string | Buffer = SECRET, hash = 'sha256') {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${createHmac(hash, secret).update(content).digest('base64url')}`;
}

const HS256 = { alg: 'HS256' };
const good = forge(HS256, CLAIMS);
const [head = '', body = '', signature = ''] = good.split('.');

/** Each invalid token, and the code of its problem. */
const BAD: Record<string, readonly [token: string, code: string]> = {
  'is no token': ['abc', 'token_invalid'],
  'is signed with another secret': [forge(HS256, CLAIMS, 'x'.repeat(40)), 'token_invalid'],
  'was changed after signing': [
    `${head}.${encode({ ...CLAIMS, sub: 'vm-2' })}.${signature}`,
    'token_invalid',
  ],
  'lacks its signature': [`${head}.${body}.`, 'token_invalid'],
  'says alg none': [`${encode({ alg: 'none' })}.${body}.`, 'token_invalid'],
  'says alg none, and is signed': [forge({ alg: 'none' }, CLAIMS), 'token_invalid'],
  'is signed by another algorithm': [
    forge({ alg: 'HS512' }, CLAIMS, SECRET, 'sha512'),
    'token_invalid',
  ],
  'has expired': [forge(HS256, { ...CLAIMS, exp: NOW_S - 60 }), 'token_expired'],
  'is not valid yet': [forge(HS256, { ...CLAIMS, nbf: NOW_S + 300 }), 'token_not_yet_valid'],
  'never ends': [forge(HS256, { ...CLAIMS, exp: undefined }), 'token_invalid'],
  'has no subject': [forge(HS256, { ...CLAIMS, sub: undefined }), 'token_invalid'],
  'has no role': [forge(HS256, { ...CLAIMS, role: undefined }), 'token_invalid'],
  'has an unknown role': [forge(HS256, { ...CLAIMS, role: 'root' }), 'token_invalid'],
};

for (const { algorithm, pem, sign } of pairs) {
  const confused = (secret: string): string => forge(HS256, CLAIMS, secret);
  Object.assign(BAD, {
    [`is signed by another key (${algorithm})`]: [
      await keyPair(algorithm).sign(CLAIMS),
      'token_invalid',
    ],
    [`takes the public key for a secret (${algorithm})`]: [confused(pem), 'token_invalid'],
    [`takes the public key for a secret (${algorithm}, trimmed)`]: [
      confused(pem.trim()),
      'token_invalid',
    ],
    [`has expired (${algorithm})`]: [await sign({ ...CLAIMS, exp: NOW_S - 60 }), 'token_expired'],
    [`is not valid yet (${algorithm})`]: [
      await sign({ ...CLAIMS, nbf: NOW_S + 300 }),
      'token_not_yet_valid',
    ],
  });
}

/** Opens a socket of the VM's agent, or of a subscriber to the VM. */
async function open(role: Role): Promise<RawClient> {
  const token = signToken({ role, sub: 'vm-1', ttlSeconds: 600 }, SECRET);
  const client = await connect(`${gateway.url.replace('http', 'ws')}/v1/vms/vm-1`, [], {
    headers: bearer(token),
  });
  await client.nextMessage('absent');
  return client;
}

for (const [name, [token, code]] of Object.entries(BAD)) {
  t.test(`a token that ${name} is rejected`, async (t) => {
    for (const path of PATHS) {
      for (const answer of [
        await overHttp(path, bearer(token)),
        await byUpgrade(path, bearer(token)),
        await byUpgrade(path, { 'sec-websocket-protocol': `lablink.v1, bearer.${token}` }),
      ]) {
        t.same([answer.status, answer.code], [401, code]);
        t.equal(
          answer.headers.get('www-authenticate'),
          'Bearer realm="lablink-gateway", error="invalid_token"',
        );
      }
    }
    const client = await open('admin');
    client.send({ type: 'auth', token });
    t.same(await client.closed, { code: 4401, reason: 'token missing or expired' });
  });
}

t.test(
  'a valid token of each key is accepted, also as a renewal of another key’s token',
  async (t) => {
    const tokens = [good, ...(await Promise.all(pairs.map(({ sign }) => sign(CLAIMS))))];
    const client = await open('admin');
    for (const token of tokens) {
      t.equal((await overHttp('/v1/vms', bearer(token))).status, 200);
      t.equal((await byUpgrade('/v1/vms', bearer(token))).status, 101);
      client.send({ type: 'auth', token });
      client.send({ type: 'ping' });
      await client.nextMessage('pong');
    }
    await client.close();
  },
);

t.test('a token of another identity is no renewal', async (t) => {
  for (const [role, claims] of [
    ['agent', { ...CLAIMS, role: 'agent', sub: 'vm-2' }],
    ['agent', { ...CLAIMS, role: 'admin' }],
    ['dashboard', { ...CLAIMS, role: 'admin' }],
    ['admin', { ...CLAIMS, sub: 'somebody else' }],
    ['admin', { ...CLAIMS, role: 'dashboard' }],
  ] as const) {
    const tokens = await Promise.all(pairs.map(({ sign }) => sign(claims)));
    for (const token of [forge(HS256, claims), ...tokens]) {
      const client = await open(role);
      client.send({ type: 'auth', token });
      t.same(await client.closed, { code: 4403, reason: 'not allowed' });
    }
  }
});

t.test('the log contains no token, wherever it was sent', async (t) => {
  const tokens = [good, ...Object.values(BAD).map(([token]) => token)];
  const client = await open('admin');
  for (const token of tokens) {
    for (const path of [...PATHS, '/health/live', '/health/ready', '/nothing', '/%ff']) {
      const query = `${path}?access_token=${token}`;
      for (const ask of [overHttp, byUpgrade]) {
        await ask(query, {});
        await ask(query, bearer(token));
      }
    }
    client.send({ type: 'ping', token });
    client.send({ type: token });
  }
  client.send({ type: 'auth', token: 5 });
  client.ws.send(good);
  t.match(await client.closed, { code: 4400 });
  const log = logged.join('');
  t.match(log, 'the feed is live');
  for (const token of tokens.filter((text) => text.length > 10)) {
    t.notOk(log.includes(token), 'the whole');
    t.notOk(log.includes(token.slice(0, 60)), 'or its beginning');
  }
});
