// An invalid message from a client is answered on its own socket alone: the other sockets and the
// process go on.

import { connect as connectTcp } from 'node:net';
import t, { type Test } from 'tap';
import { startServer } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import type { Closed, RawClient } from '../../helpers/raw-client.js';
import { clientEnd, watchServerEnds } from '../../helpers/sockets.js';

const { createDatabase } = await startServer(t);
const database = await createDatabase();
await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
const gateway = await startGateway(t, database);
const bystander = await gateway.connect('/v1/vms', 'dashboard');
const agentBystander = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');

let changes = 0;

/** A change still reaches the clients that did nothing wrong. */
async function othersGoOn(t: Test): Promise<void> {
  const email = `change-${++changes}`;
  await database.query('UPDATE vms SET email = $1', [email]);
  const told = (message: object): boolean => JSON.stringify(message).includes(`"${email}"`);
  await Promise.all([bystander.next(told), agentBystander.next(told)]);
  t.equal((await gateway.fetch('/health/live')).status, 200);
}

/** The agent of another VM, so that it replaces no other agent. */
const openAgent = (): Promise<RawClient> => gateway.connect('/v1/vms/vm-2', 'agent', 'vm-2');

const CLOSING: Readonly<Record<string, [(client: RawClient) => void, Closed]>> = {
  'text that is not JSON': [
    ({ ws }) => ws.send('{"type":"ping"'),
    { code: 4400, reason: 'not a JSON text frame' },
  ],
  'an empty text': [({ ws }) => ws.send(''), { code: 4400, reason: 'not a JSON text frame' }],
  'a binary frame': [
    ({ ws }) => ws.send(Buffer.from('{"type":"ping"}')),
    { code: 4400, reason: 'not a JSON text frame' },
  ],
  'a frame that is too large': [
    ({ ws }) => ws.send(JSON.stringify({ type: 'ping', pad: 'x'.repeat(16 * 1024) })),
    { code: 1009, reason: '' },
  ],
  'fragments that are too large together': [
    ({ ws }) => {
      for (let n = 0; n < 5; n++) ws.send(' '.repeat(4096), { fin: false });
    },
    { code: 1009, reason: '' },
  ],
  'text that is not UTF-8': [
    ({ ws }) => ws.send(Buffer.from([0x22, 0xc3, 0x28, 0x22]), { binary: false }),
    { code: 1007, reason: '' },
  ],
  'nesting without an end': [
    ({ ws }) => ws.send('['.repeat(16_000)),
    { code: 4400, reason: 'not a JSON text frame' },
  ],
};

for (const [name, [send, expected]] of Object.entries(CLOSING)) {
  t.test(`${name} closes with ${expected.code}`, async (t) => {
    const client = await openAgent();
    send(client);
    t.same(await client.closed, expected);
    await othersGoOn(t);
  });
}

const UUID = '2b1f4b1c-0d3e-4c56-9a7b-000000000000';

const REFUSED: readonly [unknown, string][] = [
  [1, 'invalid_message'],
  [null, 'invalid_message'],
  ['"a string"', 'invalid_message'],
  [[], 'invalid_message'],
  [[{ type: 'ping' }], 'invalid_message'],
  [{}, 'invalid_message'],
  ['{"__proto__":{"type":"ping"}}', 'invalid_message'],
  [`${'['.repeat(8_000)}${']'.repeat(8_000)}`, 'invalid_message'],
  [`${'{"type":'.repeat(1_500)}1${'}'.repeat(1_500)}`, 'unknown_type'],
  [{ type: 1 }, 'unknown_type'],
  [{ type: null }, 'unknown_type'],
  [{ type: 'constructor' }, 'unknown_type'],
  [{ type: '__proto__' }, 'unknown_type'],
  [{ type: 'ACK', assignment_id: UUID }, 'unknown_type'],
  [{ type: 'ack' }, 'invalid_message'],
  [{ type: 'ack', assignment_id: 5 }, 'invalid_message'],
  [{ type: 'ack', assignment_id: `${UUID}'; DROP TABLE vms` }, 'invalid_message'],
  [{ type: 'ack', assignment_id: [UUID] }, 'invalid_message'],
  ['{"type":"ack","__proto__":{"assignment_id":"x"}}', 'invalid_message'],
  [{ type: 'status' }, 'invalid_message'],
  [{ type: 'status', status: 'in-use' }, 'invalid_message'],
  [{ type: 'status', status: 'failed', assignment_id: null }, 'invalid_message'],
  [{ type: 'status', status: { toString: 'failed' } }, 'invalid_message'],
  [{ type: 'auth' }, 'invalid_message'],
  [{ type: 'auth', token: 5 }, 'invalid_message'],
];

t.test(
  'JSON that is no message of the protocol is rejected, and the socket stays open',
  async (t) => {
    const client = await openAgent();
    for (const [message, code] of REFUSED) {
      client.send(message);
      const answer = await client.next(({ type }) => type === 'error' || type === 'pong');
      t.match(answer, { type: 'error', code }, JSON.stringify(message).slice(0, 60));
    }
    client.send({ type: 'ping', unknown: { field: true } });
    t.same(await client.nextMessage('pong'), { type: 'pong' }, 'fields nobody knows are ignored');
    t.equal(Object.keys(Object.prototype).length, 0);
    await othersGoOn(t);
    await client.close();
  },
);

/** The largest unsent buffer of a socket, and a last answer on top. */
const MAX_UNSENT_BYTES = 257 * 1024;

t.test(
  'a flood whose answers are never read leaves nothing behind and harms no client',
  async (t) => {
    const serverEnd = watchServerEnds(t);
    const client = await openAgent();
    await client.nextMessage('absent');
    const socket = serverEnd(client.ws);
    client.ws.pause();
    let mostUnsent = 0;
    for (let burst = 0; burst < 200; burst++) {
      for (let n = 0; n < 1_000; n++) client.ws.send('{"type":"what?"}');
      client.ws.ping('as good as a message');
      await new Promise((resolve) => client.ws.send('{"type":"ping"}', resolve));
      mostUnsent = Math.max(mostUnsent, socket.writableLength);
    }
    await othersGoOn(t);
    t.ok(mostUnsent < MAX_UNSENT_BYTES, `${mostUnsent} bytes were kept unsent`);
    client.ws.resume();
    await client.nextMessage('error');
    await othersGoOn(t);
    client.ws.terminate();
  },
);

t.test(
  'a client that sends requests without waiting for answers is closed with 4429',
  async (t) => {
    const client = await openAgent();
    const ack = JSON.stringify({ type: 'ack', assignment_id: UUID });
    for (let n = 0; n < 1_000; n++) client.ws.send(ack);
    t.same(await client.closed, { code: 4429, reason: 'too many' });
    await othersGoOn(t);
  },
);

t.test('an invalid token renewal ends the socket', async (t) => {
  const forged = await openAgent();
  forged.send({ type: 'auth', token: 'not.a.token' });
  t.match(await forged.closed, { code: 4401 });
  const other = await openAgent();
  other.send({ type: 'auth', token: await gateway.token('agent', 'vm-1') });
  t.match(await other.closed, { code: 4403 });
  const same = await openAgent();
  same.send({ type: 'auth', token: await gateway.token('agent', 'vm-2') });
  same.send({ type: 'ping' });
  await same.nextMessage('pong');
  await same.close();
  await othersGoOn(t);
});

t.test('bytes that are no WebSocket frames end only their own socket', async (t) => {
  const client = await openAgent();
  await client.nextMessage('absent');
  // Unmasked, with reserved bits: RFC 6455 §5.1 and §5.2.
  clientEnd(client.ws).write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  t.match(await client.closed, { code: 1002 });

  const cut = await openAgent();
  clientEnd(cut.ws).destroy();
  t.match(await cut.closed, { code: 1006 });

  const { hostname, port } = new URL(gateway.url);
  const tcp = connectTcp(Number(port), hostname);
  tcp.on('error', () => undefined);
  tcp.end('GET /v1/vms HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\u0000\r\n\r\n');
  tcp.resume();
  await new Promise((resolve) => tcp.once('close', resolve));
  await othersGoOn(t);
});
