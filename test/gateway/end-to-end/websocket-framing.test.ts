// The handshake and the framing to the letter of RFC 6455, with bytes that no library sends. Each
// fault ends its own socket with the code that the standard names.

import { createHash } from 'node:crypto';
import t from 'tap';
import { startDatabase } from '../../helpers/database.js';
import { startGateway } from '../../helpers/gateway.js';
import { encodeClose, encodeFrame, OPCODE, RawSocket } from '../../helpers/raw-frames.js';
import { until } from '../../helpers/until.js';

const gateway = await startGateway(t, await startDatabase(t));
const token = await gateway.token('agent', 'vm-1');
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function connect(
  headers: Readonly<Record<string, string>> = {},
  line = 'GET /v1/vms/vm-1 HTTP/1.1',
) {
  const all = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    Authorization: `Bearer ${token}`,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return new RawSocket(gateway.url, `${line}\r\n${lines.join('')}\r\n`);
}

async function open(): Promise<RawSocket> {
  const socket = connect();
  await socket.readHead();
  return socket;
}

t.test('the handshake', async (t) => {
  const accept = createHash('sha1')
    .update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  for (const headers of [
    {},
    { Connection: 'keep-alive, uPgRaDe', Upgrade: 'WebSocket' },
    { Upgrade: 'h2c, websocket' },
    { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-unknown' },
    { 'Sec-WebSocket-Protocol': 'other, lablink.v1' },
    { 'Sec-WebSocket-Protocol': 'other' },
  ]) {
    const socket = connect(headers);
    const head = await socket.readHead();
    const name = JSON.stringify(headers);
    t.match(head, /^HTTP\/1\.1 101 /, name);
    t.ok(head.toLowerCase().includes(`sec-websocket-accept: ${accept.toLowerCase()}`), name);
    t.notMatch(head, /sec-websocket-extensions/i, 'no extension is accepted');
    const chosen = /sec-websocket-protocol: (.*)/i.exec(head)?.[1];
    t.equal(chosen, name.includes('lablink.v1') ? 'lablink.v1' : undefined, name);
    socket.end();
  }
  for (const [headers, status] of [
    [{ 'Sec-WebSocket-Key': 'dG9vIHNob3J0' }, 400],
    [{ 'Sec-WebSocket-Key': '' }, 400],
    [{ 'Sec-WebSocket-Version': '8' }, 426],
    [{ 'Sec-WebSocket-Version': '13, 8' }, 426],
    [{ 'Sec-WebSocket-Protocol': ',' }, 400],
  ] as const) {
    const socket = connect(headers);
    t.match(await socket.readHead(), new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(headers));
    socket.end();
  }
  for (const [line, code] of [
    ['GET /v1/vms/vm-1 HTTP/1.0', 'vm_not_found'],
    ['POST /v1/vms/vm-1 HTTP/1.1', 'method_not_allowed'],
    ['GET /health/live HTTP/1.1', 'not_found'],
  ] as const) {
    const socket = connect({ Connection: 'Upgrade, close' }, line);
    t.notMatch(await socket.readHead(), /^HTTP\/1\.1 101 /, line);
    t.match(await socket.readBody(), `"code":"${code}"`, line);
    socket.end();
  }
});

const text = (payload: string | Buffer, options: object = {}) =>
  encodeFrame({ opcode: OPCODE.text, payload, ...options });
const more = (payload: string | Buffer, fin: boolean) =>
  encodeFrame({ opcode: OPCODE.continuation, payload, fin });
const control = (opcode: number, payload: string | Buffer = '', options: object = {}) =>
  encodeFrame({ opcode, payload, ...options });
const PING = '{"type":"ping"}';
/** The first byte of `é` in UTF-8, and the second. */
const [FIRST, SECOND] = [Buffer.from([0xc3]), Buffer.from([0xa9])];

/** Frames, and the code of the Close that they are answered with (§7.4.1). */
const FAULTS: readonly [string, readonly Buffer[], number][] = [
  ['an unmasked frame', [text(PING, { masked: false })], 1002],
  ...[1, 2, 4, 7].map((reserved): [string, readonly Buffer[], number] => [
    `the reserved bits ${reserved}`,
    [text(PING, { reserved })],
    1002,
  ]),
  ...[3, 7, 11, 15].map((opcode): [string, readonly Buffer[], number] => [
    `the opcode ${opcode}`,
    [control(opcode)],
    1002,
  ]),
  ['a continuation of nothing', [more(PING, true)], 1002],
  ['a message inside another one', [text('{', { fin: false }), text(PING)], 1002],
  ['a Ping in parts', [control(OPCODE.ping, '', { fin: false })], 1002],
  ['a Ping of 126 bytes', [control(OPCODE.ping, 'x'.repeat(126))], 1002],
  ['a Pong of 126 bytes', [control(OPCODE.pong, 'x'.repeat(126))], 1002],
  ['a Close of one byte', [control(OPCODE.close, 'x')], 1002],
  ['a reason of 124 bytes', [encodeClose(1000, 'x'.repeat(124))], 1002],
  ['a reason that is not UTF-8', [encodeClose(1000, FIRST)], 1007],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
    (code): [string, readonly Buffer[], number] => [
      `the close code ${code}`,
      [encodeClose(code)],
      1002,
    ],
  ),
  ['parts that are not UTF-8', [text(FIRST, { fin: false }), more('x', true)], 1007],
  ['a surrogate in UTF-8', [text(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))], 1007],
  ['an overlong NUL in UTF-8', [text(Buffer.from([0x22, 0xc0, 0x80, 0x22]))], 1007],
  [
    'a length beyond 2^53',
    [Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
    1009,
  ],
  ['a length of 1 GiB', [Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4])], 1009],
  ['65 parts', [text('', { fin: false }), ...Array<Buffer>(64).fill(more('', false))], 1008],
];

for (const [name, frames, code] of FAULTS) {
  t.test(`${name} closes with ${code}`, async (t) => {
    const socket = await open();
    socket.write(...frames);
    t.equal(await socket.readCloseCode(), code);
  });
}

t.test('a Close is answered with its code', async (t) => {
  for (const code of [1000, 1001, 1011, 3000, 4999]) {
    const socket = await open();
    socket.write(encodeClose(code, 'é'.repeat(61)), text('nothing after a Close is read'));
    t.equal(await socket.readCloseCode(), code);
  }
  const socket = await open();
  socket.write(control(OPCODE.close));
  t.equal(await socket.readCloseCode(), undefined, 'a Close without a code has none');
});

t.test('parts of a message, with Pings between them', async (t) => {
  const socket = await open();
  const payload = 'x'.repeat(125);
  socket.write(
    control(OPCODE.pong, 'unasked'),
    text('{"type":"pi', { fin: false }),
    control(OPCODE.ping, payload),
    more('', false),
    more('ng","é":"', false),
    more(FIRST, false),
    more(Buffer.concat([SECOND, Buffer.from('"}')]), true),
  );
  const listPongs = () => socket.listFrames().filter(({ opcode }) => opcode === OPCODE.pong);
  const countReplies = () =>
    socket.listFrames().filter(({ payload }) => payload.toString() === '{"type":"pong"}').length;
  await until('the message is answered', () => countReplies() === 1);
  t.same(
    listPongs().map(({ payload }) => payload.toString()),
    [payload],
  );

  // §5.2 asks senders for the shortest length; a longer one is read as what it says.
  for (const lengthBytes of [2, 8]) socket.write(text(PING, { lengthBytes }));
  // A frame that arrives byte by byte.
  for (const byte of text(PING)) socket.write(Buffer.from([byte]));
  await until('all are answered', () => countReplies() === 4);
  t.notOk(socket.listFrames().some(({ opcode }) => opcode === OPCODE.close));
  socket.write(encodeClose(1000));
  t.equal(await socket.readCloseCode(), 1000);
});

t.test('all of these leave the gateway as it was', async (t) => {
  t.equal((await gateway.fetch('/health/ready')).status, 200);
  await until('no session is open', async () => {
    const metrics = await (await gateway.fetch('/metrics')).text();
    return !metrics.includes('lablink_sessions{');
  });
});
