// Enrolment: one token for many VMs, an agent's own for each, once.

import t, { type Test } from 'tap';
import {
  createVerifier,
  signToken,
  type EnrolmentLimits,
} from '../../../src/gateway/auth/token.js';
import { createApi } from '../../helpers/api.js';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { keyPair } from '../../helpers/key-pairs.js';
import { until } from '../../helpers/until.js';

const SECRET = 'the secret of this file, which has enough bytes';
const NONCE = 'a-nonce-of-the-first-vm';
const { createDatabase } = await startServer(t);

async function setUp(t: Test) {
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const enrol = await createApi(gateway, 'enrol', 'image');
  const admin = await createApi(gateway, 'admin');
  const ask = (hostname: string, nonce?: string) =>
    enrol('POST', '/v1/enrolments', nonce === undefined ? { hostname } : { hostname, nonce });
  return { database, gateway, ask, admin };
}

t.test('a hostname gets the token of its agent, and its VM is known', async (t) => {
  const database = await createDatabase();
  const gateway = await startGateway(t, database, { jwtSecrets: [SECRET] });
  const token = signToken({ role: 'enrol', sub: 'image', ttlSeconds: 60 }, SECRET);
  const response = await fetch(`${gateway.url}/v1/enrolments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ hostname: 'vm/ü' }),
  });
  t.equal(response.status, 201);
  t.equal(response.headers.get('cache-control'), 'no-store');
  const answer = (await response.json()) as { hostname: string; token: string; expires_at: string };
  t.equal(answer.hostname, 'vm/ü');
  const verified = createVerifier([SECRET])(answer.token);
  t.match(verified, { ok: true, identity: { role: 'agent', sub: 'vm/ü' } });
  const days = (Date.parse(answer.expires_at) - Date.now()) / 86_400_000;
  t.ok(days > 29.9 && days <= 30, 'good for 30 days');
  const rows = await database.query<{ hostname: string; status: string }>(
    'SELECT hostname, status FROM vms',
  );
  t.same(rows, [{ hostname: 'vm/ü', status: 'available' }]);
  const [event] = await database.query<{ actor: string }>('SELECT actor FROM vm_events');
  t.equal(event?.actor, 'enrol:image');
});

t.test('once, until an admin allows it again', async (t) => {
  const { ask, admin } = await setUp(t);
  t.equal((await ask('vm-1')).status, 201);
  t.match(await ask('vm-1'), { status: 409, json: { code: 'already_enrolled' } });
  t.match(await ask('vm-1', NONCE), { status: 409, json: { code: 'already_enrolled' } });
  t.equal((await admin('DELETE', '/v1/enrolments/vm-1')).status, 204);
  t.match(await admin('DELETE', '/v1/enrolments/vm-1'), {
    status: 404,
    json: { code: 'not_enrolled' },
  });
  t.equal((await ask('vm-1', NONCE)).status, 201);
  t.match(await ask('vm-1'), { status: 409 });
});

t.test('an answer that was lost can be asked for again with its nonce', async (t) => {
  const { database, ask } = await setUp(t);
  t.equal((await ask('vm-1', NONCE)).status, 201);
  t.equal((await ask('vm-1', NONCE)).status, 201);
  t.match(await ask('vm-1', `${NONCE}x`), { status: 409 });
  t.equal((await ask('vm-2', NONCE)).status, 201, 'each hostname has its own');
  const kept = await database.query('SELECT vm_enrolments::text FROM vm_enrolments');
  t.notMatch(JSON.stringify(kept), NONCE, 'of which the hash alone is kept');
});

t.test('of many who ask for one hostname at once, one gets it', async (t) => {
  const { ask } = await setUp(t);
  const nonces = Array.from({ length: 20 }, (_, index) => `${NONCE}-${index}`);
  const answers = await Promise.all(nonces.map((nonce) => ask('vm-1', nonce)));
  t.equal(answers.filter(({ status }) => status === 201).length, 1);
  t.equal(answers.filter(({ status }) => status === 409).length, 19);
});

t.test('a hostname whose agent is online is refused', async (t) => {
  const { database, gateway, ask } = await setUp(t);
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const seen = () => database.query('SELECT FROM vm_presence WHERE online');
  await until('its agent is seen', async () => (await seen()).length > 0);
  t.match(await ask('vm-1'), { status: 409, json: { code: 'agent_online' } });
  await agent.close();
  await until('its agent is gone', async () => (await ask('vm-1', NONCE)).status === 201);
  await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  t.equal((await ask('vm-1', NONCE)).status, 201, 'its own nonce is always good');
});

t.test('what is not as documented', async (t) => {
  const { ask, admin, database } = await setUp(t);
  for (const hostname of ['', 'x'.repeat(256), 'a\0b']) {
    t.match(await ask(hostname), { status: 400, json: { code: 'invalid_request' } });
  }
  for (const nonce of ['', 'short', 'x'.repeat(129), `${NONCE} ü`]) {
    t.match(await ask('vm-1', nonce), { status: 400, json: { code: 'invalid_request' } });
  }
  t.match(await admin('DELETE', '/v1/enrolments/a%00b'), { json: { code: 'invalid_hostname' } });
  t.same(await database.query('SELECT FROM vms'), []);
});

t.test('where tokens are signed elsewhere nobody can enrol', async (t) => {
  const database = await createDatabase();
  const pair = keyPair('EdDSA');
  const gateway = await startGateway(t, database, { jwtSecrets: [], jwtPublicKeys: [pair] });
  const exp = Math.floor(Date.now() / 1000) + 600;
  const token = await pair.sign({ sub: 'image', role: 'enrol', exp });
  const api = await createApi({ url: gateway.url, token: async () => token });
  const answer = await api('POST', '/v1/enrolments', { hostname: 'vm-1' });
  t.match(answer, { status: 501, json: { code: 'cannot_sign' } });
});

async function setUpLimited(t: Test, limits: EnrolmentLimits) {
  const database = await createDatabase();
  const gateways = await Promise.all(
    [1, 2].map(() => startGateway(t, database, { jwtSecrets: [SECRET] })),
  );
  const content = { role: 'enrol', sub: 'image', ttlSeconds: 600, enrolment: limits } as const;
  const token = signToken(content, SECRET);
  const apis = await Promise.all(
    gateways.map(({ url }) => createApi({ url, token: async () => token })),
  );
  const [first, second] = apis;
  if (first === undefined || second === undefined) throw new Error('two gateways');
  const ask = (hostname: string, api = first, nonce?: string) =>
    api('POST', '/v1/enrolments', nonce === undefined ? { hostname } : { hostname, nonce });
  return { database, ask, first, second };
}

t.test('a token enrols as many VMs as it says, on two gateways at once', async (t) => {
  const { ask, first, second, database } = await setUpLimited(t, { max: 5 });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => ask(`vm-${n}`, n % 2 === 0 ? first : second, NONCE)),
  );
  const enrolled = answers.flatMap(({ status }, n) => (status === 201 ? [n] : []));
  t.equal(enrolled.length, 5);
  for (const { status, json } of answers) {
    if (status !== 201) t.match(json, { code: 'enrolment_not_allowed' });
  }
  t.equal((await database.query('SELECT FROM vms')).length, 5);
  const again = await ask(`vm-${enrolled[0]}`, second, NONCE);
  t.equal(again.status, 201, 'a VM that enrolled may repeat its request');
});

t.test('a token enrols only hostnames that match its pattern', async (t) => {
  const { ask, database } = await setUpLimited(t, { pattern: 'lab-*' });
  for (const hostname of ['vm-1', 'Lab-1', 'my-lab-1']) {
    const answer = await ask(hostname);
    t.match(answer, { status: 403, json: { code: 'enrolment_not_allowed' } }, hostname);
  }
  t.equal((await ask('lab-1')).status, 201);
  t.equal((await database.query('SELECT FROM vms')).length, 1);
});

t.test('a VM that enrolled is handed out only after its agent was online', async (t) => {
  const { gateway, ask, admin } = await setUp(t);
  t.equal((await ask('vm-1', NONCE)).status, 201);
  const assign = () => admin('POST', '/v1/assignments', { email: 'ada@x.y' });
  t.match(await assign(), { status: 409, json: { code: 'no_vm_available' } });
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const assigned = await until('it is handed out', async () => {
    const answer = await assign();
    return answer.status === 201 && answer;
  });
  t.match(assigned.text, '"vm-1"');
  await agent.close();
});

t.test('a hostname that looks like another one is not made', async (t) => {
  const { ask, admin, database } = await setUp(t);
  const register = (hostname: string) => admin('PUT', `/v1/vms/${encodeURIComponent(hostname)}`);
  t.equal((await register('vm-1')).status, 201);
  const unclear = [
    ...['vm\u200B-1', '\u202Evm-1', 'vm-1\u2066', ' vm-1', 'vm-1 ', 'vm-1\u00A0', 'vm\u00AD-1'],
    ...['vm-1\n', 'vm\u2028-1', 'vm-\u3164', 'vm-\uFE0F1', 'cafe\u0301', 'vm\uFEFF-1', '\u0007'],
    ...['vm-\u0430', '\uFF56m-1', '\u0430\u0441\u0435', 'v\u{1D426}-1'],
  ];
  for (const hostname of unclear) {
    for (const answer of [await register(hostname), await ask(hostname, NONCE)]) {
      const name = encodeURIComponent(hostname);
      t.match(answer, { status: 400, json: { code: 'invalid_hostname' } }, name);
    }
  }
  for (const hostname of ['VM-1', 'Vm-1']) {
    for (const answer of [await register(hostname), await ask(hostname, NONCE)]) {
      t.match(answer, { status: 409, json: { code: 'similar_hostname' } }, hostname);
    }
  }
  t.same(await database.query('SELECT hostname FROM vms'), [{ hostname: 'vm-1' }]);
  t.same(await database.query('SELECT FROM vm_enrolments'), []);
  const both = await Promise.all(['LAB-1', 'lab-1', 'Lab-1'].map(register));
  t.same(both.map(({ status }) => status).sort(), [201, 409, 409]);
});

t.test('a row that has an odd hostname is used as before', async (t) => {
  const { admin, ask, database } = await setUp(t);
  const odd = 'vm\u200B-1';
  await database.query(
    `INSERT INTO vms (hostname, status) VALUES ('vm-2', 'available'), ('VM-2', 'available'), ($1, 'available')`,
    [odd],
  );
  for (const hostname of [odd, 'VM-2', 'vm-2']) {
    const path = `/v1/vms/${encodeURIComponent(hostname)}`;
    t.equal((await admin('PUT', path)).status, 200);
    t.equal((await ask(hostname, NONCE)).status, 201);
    t.equal((await admin('PATCH', path, { status: 'failed' })).status, 200);
  }
});

t.test('a revocation ends the enrolment of the hostname too', async (t) => {
  const { ask, admin, database } = await setUp(t);
  t.equal((await ask('vm-1', NONCE)).status, 201);
  await database.query(
    `INSERT INTO vm_token_revocations (kind, value, expires_at)
     VALUES ('sub', 'vm-1', now() + interval '1 day')`,
  );
  t.match(await ask('vm-1', NONCE), { status: 409, json: { code: 'already_enrolled' } });
  t.equal((await admin('DELETE', '/v1/enrolments/vm-1')).status, 204);
  t.equal((await ask('vm-1', NONCE)).status, 201);
});
