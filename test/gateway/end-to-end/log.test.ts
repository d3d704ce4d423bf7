// The log records connections, failures and their causes. At no level does it contain a token, a
// secret, a password or a piece of a row.

import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway, type TestGateway, type TestGatewayOptions } from '../../helpers/gateway.js';
import { until } from '../../helpers/until.js';
import { bearer, waysToAsk } from './ask.js';

const { createDatabase } = await startServer(t);

/** Part of every text that must not be logged. */
const PLANTED = 'planted';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly reqId?: string;
  readonly session?: string;
  readonly err?: Record<string, unknown>;
  readonly [field: string]: unknown;
}

/** A gateway that logs at every level. Its database accepts any password. */
async function startLogging(t: Test, options: TestGatewayOptions & { waitReady?: boolean } = {}) {
  const database = await createDatabase();
  const config = { ...database.config, password: `${PLANTED}-password` };
  let text = '';
  const log = pino({ level: 'trace' }, { write: (line) => (text += line) });
  const gateway = await startGateway(t, database, {
    database: config,
    listenDatabase: config,
    log,
    ...options,
  });
  const lines = (): Line[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  const logged = (msg: string): Promise<Line> =>
    until(`the log says: ${msg}`, () => lines().find((line) => line.msg === msg));
  return { database, gateway, lines, logged, text: () => text };
}

/** A secret also counts as shown if it appears as a Buffer or as numbers. */
function notShown(t: Test, text: string, more: readonly string[] = []): void {
  for (const secret of [PLANTED, [...Buffer.from(PLANTED)].join(), ...more]) {
    const at = text.indexOf(secret);
    t.equal(at === -1 ? '' : text.slice(Math.max(0, at - 300), at + 100), '', secret.slice(0, 20));
  }
}

/** Connects without a valid token, in every way that a token can be sent. */
async function comeWithBadTokens(gateway: TestGateway): Promise<void> {
  const { overHttp, byUpgrade } = waysToAsk(gateway);
  const expired = 'eyJhbGciOiJIUzI1NiJ9.planted.planted';
  for (const ask of [overHttp, byUpgrade]) {
    for (const token of [expired, 'planted', 'a.planted.c']) {
      await ask('/v1/vms', bearer(token));
      await ask(`/v1/vms?token=${token}`, {});
      await ask(`/v1/vms?cursor=${token}`, bearer(await gateway.token('admin')));
      await ask(`/planted/${token}?token=planted`, bearer(token));
      await ask(`/v1/vms/%ff${token}`, bearer(token));
    }
    await ask('/v1/vms', { 'Sec-WebSocket-Protocol': `lablink.v1, bearer.${expired}` });
    await ask('/v1/vms', { 'X-Request-Id': '{"planted"}', Cookie: 'planted' });
  }
  const { hostname, port } = new URL(gateway.url);
  for (const nonsense of [
    'GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer planted\r\nno header\r\n\r\n',
    'planted\r\n\r\n',
    `GET /planted HTTP/1.1\r\nHost: x\r\nX: ${'planted'.repeat(10_000)}\r\n\r\n`,
  ]) {
    const tcp = connectTcp({ host: hostname, port: Number(port) });
    tcp.on('error', () => undefined);
    tcp.end(nonsense);
    tcp.resume();
    await once(tcp, 'close');
  }
}

async function sendBadFrames(gateway: TestGateway): Promise<void> {
  for (const frame of [
    'planted',
    'planted'.repeat(5_000),
    { type: 'auth', token: 'planted' },
    { type: 'auth', token: 'a.planted.c' },
  ]) {
    const client = await gateway.connect('/v1/vms/vm-1', 'admin');
    client.send(frame);
    await client.closed;
  }
  const client = await gateway.connect('/v1/vms/vm-1', 'admin');
  for (const message of [
    '"planted"',
    { type: 'planted' },
    { type: 'ack', assignment_id: 'planted' },
  ]) {
    client.send(message);
    await client.nextMessage('error');
  }
  await client.close();
}

const READ_FAILED = 'could not read the table; trying again';
const ROW_UNREADABLE =
  'a row cannot be read: a value is not valid text in its encoding. Its VM keeps the last known ' +
  'state; `lablink-gateway db doctor` names the row';

t.test('no secret, no token and no piece of a row is logged in any case', async (t) => {
  const { database, gateway, logged, lines, text } = await startLogging(t);
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command) VALUES ('vm-1', 'in-use', 'planted@b.c', 'planted')`,
  );
  const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const { vm } = await agent.nextMessage('assignment');
  t.match(vm, { crd_command: PLANTED });
  await gateway.connect('/v1/vms', 'admin');
  await comeWithBadTokens(gateway);
  await sendBadFrames(gateway);
  const payloads = ['planted', '{"planted":1}', '{"op":"planted"}', '["planted"]'];
  for (const payload of payloads) {
    for (const channel of ['vm_updates', 'vm_changes'])
      await database.query('SELECT pg_notify($1, $2)', [channel, payload]);
  }

  // PostgreSQL's message about a row that violates a constraint contains the row.
  await database.query(`ALTER TABLE vms ADD CONSTRAINT fine CHECK (status <> 'failed')`);
  agent.send({ type: 'status', status: 'failed' });
  await agent.nextMessage('error');
  t.match(await logged('a request of an agent failed'), {
    level: 40,
    session: /^\d+$/,
    err: { code: '23514', constraint: 'fine' },
  });

  // Triggers and functions of users may raise any text under any error code.
  const admin = await gateway.token('admin');
  for (const code of ['45000', '42000', '55000']) {
    await database.query(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'bad %', NEW.crd_command USING ERRCODE = '${code}'; END $$;
      CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON vms FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const answer = await fetch(`${gateway.url}/v1/vms/vm-1`, {
      method: 'PATCH',
      headers: { ...bearer(admin), 'Content-Type': 'application/json' },
      body: JSON.stringify({ status: 'failed' }),
    });
    t.equal(answer.status, 422, code);
    t.ok(lines().some(({ err }) => err?.code === code));
  }
  await database.query('DROP TRIGGER refuse ON vms');
  for (const [failing, status, level, text] of [
    [`RAISE EXCEPTION 'no %', (SELECT crd_command FROM vms LIMIT 1)`, 500, 40, READ_FAILED],
    [`PERFORM crd_command::int FROM vms`, 400, 50, ROW_UNREADABLE],
    [`PERFORM crd_command::json FROM vms`, 400, 50, ROW_UNREADABLE],
  ] as const) {
    await database.query(`CREATE OR REPLACE FUNCTION read_vms(hostnames text[])
      RETURNS TABLE (hostname text, version bigint, status text, row_text text)
      LANGUAGE plpgsql AS $$ BEGIN ${failing}; END $$;
      CREATE OR REPLACE FUNCTION vm_text(vm vms) RETURNS text
      LANGUAGE plpgsql AS $$ BEGIN ${failing}; END $$`);
    t.equal((await gateway.fetch('/v1/vms/vm-1', 'admin')).status, status);
    await database.query(`SELECT pg_notify('vm_changes', '{"op":"read"}')`);
    t.match(await logged(text), { level });
  }
  t.match(await logged('a rule of the database rejected a change'), { err: { code: '45000' } });
  t.match(await logged('a request failed'), { level: 50, err: { code: 'P0001' } });
  t.ok(lines().some(({ err }) => err?.code === 'P0001'));
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  await logged('not listening');
  await gateway.app.close();
  const told = new Set(lines().map(({ msg }) => msg));
  t.ok(told.size >= 10, [...told].join('; '));
  notShown(t, text(), ['a secret that only tests know']);
});

t.test('a database that rejects the login is logged without its password', async (t) => {
  const { database } = await startLogging(t);
  const config = { ...database.config, user: 'nobody', password: PLANTED };
  const { gateway, logged, text } = await startLogging(t, {
    database: config,
    listenDatabase: config,
    jwtSecrets: [`${PLANTED} with enough bytes for a secret`],
    waitReady: false,
  });
  t.match(await logged('not listening'), { err: { cause: { code: '28000' } } });
  await gateway.app.close();
  notShown(t, text());
});

t.test('a session is logged when it opens and when it closes, under the same id', async (t) => {
  const { gateway, lines, logged } = await startLogging(t);
  const token = await gateway.token('agent', 'vm-1');
  const { byUpgrade } = waysToAsk(gateway);
  await byUpgrade('/v1/vms/vm-1', { ...bearer(token), 'X-Request-Id': 'from-a-proxy' });
  const opened = await logged('a session opened');
  t.match(opened, { level: 20, reqId: 'from-a-proxy', kind: 'vm', role: 'agent', sub: 'vm-1' });
  t.match(await logged('a session closed'), {
    level: 20,
    reqId: 'from-a-proxy',
    session: opened.session,
    role: 'agent',
    sub: 'vm-1',
    code: 1006,
  });
  const client = await gateway.connect('/v1/vms', 'admin');
  await client.close();
  const second = await until('the second session', () =>
    lines().find(({ msg, role }) => msg === 'a session closed' && role === 'admin'),
  );
  t.not(second.session, opened.session);
});

t.test('an upgrade is answered with its request id', async (t) => {
  const { gateway } = await startLogging(t);
  const client = await gateway.connect('/v1/vms', 'admin');
  await client.close();
  const { WebSocket } = await import('ws');
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/vms`, {
    headers: { ...bearer(await gateway.token('admin')), 'X-Request-Id': 'mine' },
  });
  const [response] = (await once(ws, 'upgrade')) as [{ headers: Record<string, string> }];
  t.equal(response.headers['x-request-id'], 'mine');
  ws.terminate();
});
