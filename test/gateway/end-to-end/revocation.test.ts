// Revoked tokens: on every gateway, over HTTP and on open sockets; and a list that cannot be read.

import pg from 'pg';
import { decodeJwt } from 'jose';
import t, { type Test } from 'tap';
import { signToken } from '../../../src/gateway/auth/token.js';
import { pruneRevocations } from '../../../src/gateway/database/revocations.js';
import { revokeTokens, type TokenSelector } from '../../../src/postgres/admin/revocations.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { openEventStream } from '../../helpers/event-stream.js';
import { startGateway, type TestGatewayOptions } from '../../helpers/gateway.js';
import { connect } from '../../helpers/raw-client.js';
import { until } from '../../helpers/until.js';

const SECRET = 'the secret of this file, which has enough bytes';
const NEVER_MS = 2 ** 30;
const { createDatabase } = await startServer(t);

async function revoke(database: TestDatabase, selector: TokenSelector): Promise<void> {
  const session = new pg.Client(database.config);
  await session.connect();
  await revokeTokens(session, selector, new Date(Date.now() + 60_000));
  await session.end();
}

/** @param timing without routine reads, so that a notification alone is the reason. */
async function start(
  t: Test,
  database: TestDatabase,
  options: TestGatewayOptions & { waitReady?: boolean } = {},
) {
  const gateway = await startGateway(t, database, { jwtSecrets: [SECRET], ...options });
  const open = (path: string, token: string) =>
    connect(gateway.url.replace('http', 'ws') + path, [], {
      headers: { authorization: `Bearer ${token}` },
    });
  const ask = async (token: string, path = '/v1/vms') => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(gateway.url + path, { headers });
    const text = await response.text();
    return { response, code: (JSON.parse(text || '{}') as { code?: string }).code };
  };
  return { gateway, open, ask };
}

const sign = (sub: string, role: 'agent' | 'dashboard' = 'dashboard'): string =>
  signToken({ sub, role, ttlSeconds: 600 }, SECRET);

t.test('a jti: on two gateways, open sockets and HTTP, by a notification alone', async (t) => {
  const database = await createDatabase();
  const timing = { checkIntervalMs: NEVER_MS };
  const gateways = [await start(t, database, { timing }), await start(t, database, { timing })];
  const [token, other] = [sign('ada'), sign('ada')];
  const sockets = await Promise.all(gateways.map(({ open }) => open('/v1/vms', token)));
  const others = await Promise.all(gateways.map(({ open }) => open('/v1/vms', other)));
  await revoke(database, { kind: 'jti', value: decodeJwt(token).jti ?? '' });
  for (const socket of sockets) {
    t.match(await socket.closed, { code: 4401 });
  }
  for (const { ask } of gateways) {
    const { response, code } = await ask(token);
    t.equal(response.status, 401);
    t.equal(code, 'token_revoked');
    t.match(response.headers.get('www-authenticate'), 'error="invalid_token"');
    t.equal((await ask(other)).response.status, 200, 'another token of the same sub is good');
  }
  for (const socket of others) t.equal(socket.ws.readyState, 1, 'and its socket stays');
});

t.test('a sub: every token that was issued so far, and no later one', async (t) => {
  const database = await createDatabase();
  const { ask, open } = await start(t, database);
  const [first, second, another] = [
    sign('vm-1', 'agent'),
    sign('vm-1', 'dashboard'),
    sign('vm-2', 'agent'),
  ];
  const agent = await open('/v1/vms/vm-1', first);
  await revoke(database, { kind: 'sub', value: 'vm-1' });
  t.match(await agent.closed, { code: 4401 });
  t.equal((await ask(first, '/v1/vms/vm-1')).code, 'token_revoked');
  t.equal((await ask(second)).code, 'token_revoked');
  t.equal((await ask(another, '/v1/vms/vm-2')).code, 'vm_not_found');
  const isGood = async () => (await ask(sign('vm-1'))).response.status === 200;
  await until('a token of the next second is good', isGood);
});

t.test('a revocation whose notification is lost is read soon', async (t) => {
  const database = await createDatabase();
  const { ask } = await start(t, database);
  const token = sign('ada');
  t.equal((await ask(token)).response.status, 200);
  await database.query(
    `INSERT INTO vm_token_revocations (kind, value, expires_at)
     VALUES ('sub', 'ada', now() + interval '1 day')`,
  );
  await until('it is read', async () => (await ask(token)).code === 'token_revoked');
});

t.test('the list is read when the feed has connected again', async (t) => {
  const database = await createDatabase();
  const timing = { checkIntervalMs: NEVER_MS };
  const { ask } = await start(t, database, { timing });
  const token = sign('ada');
  t.equal((await ask(token)).response.status, 200);
  await database.query(
    `INSERT INTO vm_token_revocations (kind, value, expires_at)
     VALUES ('sub', 'ada', now() + interval '1 day')`,
  );
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name LIKE '%listen'`,
  );
  await until('it is read', async () => (await ask(token)).code === 'token_revoked');
});

t.test('a request that waits is not answered once its token is revoked', async (t) => {
  const database = await createDatabase();
  const { ask } = await start(t, database);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  const token = sign('vm-1', 'agent');
  const vm = (await ask(token, '/v1/vms/vm-1')).response.headers.get('etag') ?? '';
  const waiting = ask(token, `/v1/vms/vm-1?wait=60&version=${vm.replaceAll('"', '')}`);
  await revoke(database, { kind: 'sub', value: 'vm-1' });
  const isRevoked = async () => (await ask(token, '/v1/vms/vm-1')).code === 'token_revoked';
  await until('it is revoked', isRevoked);
  await database.query(`UPDATE vms SET status = 'in-use', email = 'a', crd_command = 'secret'`);
  t.equal((await waiting).code, 'token_revoked');
});

t.test('without the list no token is accepted, and the gateway is not ready', async (t) => {
  const database = await createDatabase();
  await database.query('ALTER TABLE vm_token_revocations RENAME TO hidden');
  const { gateway, ask, open } = await start(t, database, { waitReady: false });
  await until('it says why', async () =>
    (await gateway.notReady()).includes('revoked tokens cannot be read'),
  );
  const { response, code } = await ask(sign('ada'));
  t.same([response.status, code], [503, 'not_ready']);
  await t.rejects(open('/v1/vms', sign('ada')), /503/);
  t.equal((await ask('x.y.z')).code, 'token_invalid', 'a bad token stays bad');
  await database.query('ALTER TABLE hidden RENAME TO vm_token_revocations');
  await gateway.ready();
  t.equal((await ask(sign('ada'))).response.status, 200);
});

t.test('a list that was read stays in force while it cannot be read again', async (t) => {
  const database = await createDatabase();
  const { gateway, ask, open } = await start(t, database);
  const bad = sign('eve');
  await revoke(database, { kind: 'sub', value: 'eve' });
  await until('it is read', async () => (await ask(bad)).code === 'token_revoked');
  const socket = await open('/v1/vms', sign('ada'));
  await database.query('ALTER TABLE vm_token_revocations RENAME TO hidden');
  t.match(await gateway.notReady(), 'revoked tokens cannot be read');
  t.equal((await ask(bad)).code, 'token_revoked');
  t.equal((await ask(sign('ada'))).response.status, 200);
  t.equal(socket.ws.readyState, 1);
});

t.test('a revocation is pruned when its tokens have ended', async (t) => {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vm_token_revocations (kind, value, expires_at)
     VALUES ('jti', 'old', now() - interval '2 hours'), ('jti', 'new', now() + interval '1 hour')`,
  );
  const pool = new pg.Pool(database.config);
  t.teardown(() => pool.end());
  await pruneRevocations(pool);
  const rows = await database.query('SELECT value FROM vm_token_revocations');
  t.same(rows, [{ value: 'new' }]);
});

t.test('an event stream of a revoked token ends, and another stays', async (t) => {
  const database = await createDatabase();
  const { gateway } = await start(t, database);
  const [token, other] = [sign('ada'), sign('ada')];
  const url = `${gateway.url}/v1/vms`;
  const stream = await openEventStream(url, { authorization: `Bearer ${token}` });
  const kept = await openEventStream(url, { authorization: `Bearer ${other}` });
  await revoke(database, { kind: 'jti', value: decodeJwt(token).jti ?? '' });
  await stream.ended;
  t.same(stream.close, { code: 4401, reason: 'token missing or expired' });
  await t.rejects(
    openEventStream(url, { authorization: `Bearer ${token}` }),
    /401 .*token_revoked/,
  );
  t.equal(kept.close, undefined);
  await kept.leave();
});
