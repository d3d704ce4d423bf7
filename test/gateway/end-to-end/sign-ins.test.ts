// The exchange of a link's one-time code for a token: once, on any gateway, for a few minutes.

import pg from 'pg';
import t, { type Test } from 'tap';
import { createSignInLink } from '../../../src/cli/sign-in-link.js';
import { createSignInCode } from '../../../src/gateway/auth/sign-in-code.js';
import { createVerifier } from '../../../src/gateway/auth/token.js';
import { MAX_SIGN_IN_CODES } from '../../../src/postgres/admin/sign-in-codes.js';
import { revokeTokens } from '../../../src/postgres/admin/revocations.js';
import { startServer, type TestDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { keyPair } from '../../helpers/key-pairs.js';

const SECRET = 'the secret of this file, which has enough bytes';
const { createDatabase } = await startServer(t);

async function makeCode(database: TestDatabase, sub = 'ada', secret = SECRET): Promise<string> {
  const link = await createSignInLink({
    database: database.config,
    url: 'http://127.0.0.1:8080/',
    secret,
    content: { role: 'admin', sub, ttlSeconds: 600 },
  });
  return link.slice('http://127.0.0.1:8080/#code='.length);
}

async function start(t: Test, database: TestDatabase) {
  const { url } = await startGateway(t, database, { jwtSecrets: [SECRET] });
  return (code: unknown) => exchange(url, code);
}

async function exchange(url: string, code: unknown) {
  const response = await fetch(`${url}/v1/sign-ins`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  });
  const body = (await response.json()) as { token?: string; code?: string; expires_at?: string };
  return { status: response.status, headers: response.headers, body };
}

t.test('a code is exchanged for the token that its link was made for', async (t) => {
  const database = await createDatabase();
  const signIn = await start(t, database);
  const code = await makeCode(database);
  const { status, headers, body } = await signIn(code);
  t.equal(status, 201);
  t.equal(headers.get('cache-control'), 'no-store');
  const identity = { role: 'admin', sub: 'ada' };
  t.match(createVerifier([SECRET])(body.token ?? ''), { ok: true, identity });
  const leftMs = Date.parse(body.expires_at ?? '') - Date.now();
  t.ok(leftMs > 500_000 && leftMs <= 600_000);
  t.match(await signIn(code), { status: 403, body: { code: 'code_invalid' } });
});

t.test('of many exchanges on two gateways at once, one succeeds', async (t) => {
  const database = await createDatabase();
  const [first, second] = [await start(t, database), await start(t, database)];
  const code = await makeCode(database);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? first : second)(code)),
  );
  t.equal(answers.filter((answer) => answer.status === 201).length, 1);
  t.equal(answers.filter((answer) => answer.status === 403).length, 19);
});

t.test(
  'the database keeps the hash alone, and a row without the secret is of no use',
  async (t) => {
    const database = await createDatabase();
    const signIn = await start(t, database);
    const code = await makeCode(database);
    const kept = JSON.stringify(await database.query('SELECT * FROM vm_sign_in_codes'));
    t.notMatch(kept, code);
    t.notMatch(kept, Buffer.from(code, 'base64url').toString('hex'));
    const planted = await makeCode(database, 'eve', 'a secret that the gateway does not have');
    t.match(await signIn(planted), { status: 403, body: { code: 'code_invalid' } });
    t.equal((await database.query('SELECT FROM vm_sign_in_codes')).length, 2, 'and was not asked');
  },
);

t.test('a code ends, and so does one of a sub that is revoked', async (t) => {
  const database = await createDatabase();
  const signIn = await start(t, database);
  const old = await makeCode(database);
  await database.query(`UPDATE vm_sign_in_codes SET expires_at = now() - interval '1 second'`);
  t.match(await signIn(old), { status: 403 });
  const [mine, others] = [await makeCode(database), await makeCode(database, 'bob')];
  const session = new pg.Client(database.config);
  await session.connect();
  await revokeTokens(session, { kind: 'sub', value: 'ada' }, new Date(Date.now() + 60_000));
  await session.end();
  t.match(await signIn(mine), { status: 403 });
  t.match(await signIn(others), { status: 201 });
});

t.test('the number of codes is bounded, and those that ended make room', async (t) => {
  const database = await createDatabase();
  await makeCode(database);
  await database.query(
    `INSERT INTO vm_sign_in_codes
     SELECT sha256(n::text::bytea), 'admin', 'ada', 60, now() + interval '1 minute'
     FROM generate_series(2, $1) AS n`,
    [MAX_SIGN_IN_CODES],
  );
  await t.rejects(makeCode(database), { code: 'refused' });
  await database.query(
    `UPDATE vm_sign_in_codes SET expires_at = now() - interval '1 second' WHERE sub = 'ada'`,
  );
  await t.resolves(makeCode(database));
  t.equal((await database.query('SELECT FROM vm_sign_in_codes')).length, 1);
});

t.test('what is no code, and a gateway that cannot sign', async (t) => {
  const database = await createDatabase();
  const signIn = await start(t, database);
  for (const code of [undefined, '', 7, 'x', 'x'.repeat(44)]) {
    t.match(await signIn(code), { status: 400, body: { code: 'invalid_request' } });
  }
  t.match(await signIn('x'.repeat(2_000)), { status: 413 });
  const verifier = await startGateway(t, database, {
    jwtSecrets: [],
    jwtPublicKeys: [keyPair('EdDSA')],
  });
  t.match(await exchange(verifier.url, createSignInCode(SECRET)), {
    status: 501,
    body: { code: 'cannot_sign' },
  });
});
