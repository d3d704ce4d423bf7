// Where the gateway looks for a token, over HTTP and before an upgrade alike: in a header or a
// subprotocol, and never in the URL.

import t from 'tap';
import { signToken } from '../../../src/gateway/auth/token.js';
import type { Role } from '../../../src/gateway/auth/roles.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { connect } from '../../helpers/raw-client.js';
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

const mintToken = async (role: Role, sub = 'vm-1', ttlSeconds = 60) =>
  signToken({ role, sub, ttlSeconds }, SECRET);

t.test('a request without a token gets 401 token_missing', async (t) => {
  for (const headers of [
    {},
    bearer(''),
    { authorization: `Basic ${btoa('vm-1:secret')}` },
    bearer(`${await mintToken('admin')} more`),
    { 'sec-websocket-protocol': 'lablink.v1, bearer.' },
  ]) {
    for (const path of ['/v1/vms', '/v1/vms/vm-1']) {
      for (const ask of [overHttp, byUpgrade]) {
        const answer = await ask(path, headers);
        t.same([answer.status, answer.code], [401, 'token_missing']);
        t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="lablink-gateway"');
      }
    }
  }
});

t.test('a token in the URL is ignored', async (t) => {
  const token = await mintToken('admin');
  for (const name of ['token', 'access_token', 'jwt']) {
    const query = `?${name}=${token}`;
    t.equal((await overHttp(`/v1/vms/vm-1${query}`, {})).status, 401);
    t.equal((await byUpgrade(`/v1/vms/vm-1${query}`, {})).status, 401);
    t.equal((await byUpgrade(`/v1/vms${query}`, {})).status, 401);
  }
});

t.test('a token in the URL adds no rights to the token in the header', async (t) => {
  const query = `?access_token=${await mintToken('admin')}`;
  const agent = bearer(await mintToken('agent'));
  for (const ask of [overHttp, byUpgrade]) {
    t.match(await ask(`/v1/vms/vm-2${query}`, agent), { status: 403, code: 'not_allowed' });
    t.match(await ask(`/v1/vms${query}`, agent), { status: 403, code: 'not_allowed' });
    t.match(await ask(`/v1/vms/vm-1${query}`, bearer('forged')), { status: 401 });
  }
});

t.test('an older secret is accepted', async (t) => {
  const token = signToken({ role: 'admin', sub: 'x', ttlSeconds: 60 }, OLDER_SECRET);
  t.equal((await overHttp('/v1/vms', bearer(token))).status, 200);
});

t.test('a token as a subprotocol opens the socket and is not echoed', async (t) => {
  const token = await mintToken('agent');
  const client = await connect(`${socketUrl}/v1/vms/vm-1`, ['lablink.v1', `bearer.${token}`]);
  t.equal(client.ws.protocol, 'lablink.v1');
  t.match(await client.next(), { type: 'welcome' });
  await client.close();
  await t.rejects(
    connect(`${socketUrl}/v1/vms/vm-2`, ['lablink.v1', `bearer.${token}`]),
    /server response: 403/,
  );
  await t.rejects(connect(`${socketUrl}/v1/vms`, ['lablink.v1', 'bearer.']), /response: 401/);
  // RFC 6455 §4.1: a client fails the connection if it offered subprotocols and the server selects
  // none of them.
  await t.rejects(connect(`${socketUrl}/v1/vms/vm-1`, [`bearer.${token}`]), /no subprotocol/);
});
