// SIGTERM under load, byte for byte. A client that reads receives whole messages and a close frame,
// within the limit, and the process ends in order; also while it reconnects to its database.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import t, { type Test } from 'tap';
import { startDatabase, type TestDatabase } from '../helpers/database.js';
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js';
import { until } from '../helpers/until.js';
import { startProxy } from './proxy.js';
import { terminateListeners } from './server-faults.js';
import { Writers } from './writers.js';

const READERS = 40;
const IN_ORDER = { code: 0, signal: null };
const RESTART = 1012;
const CLOSE_FRAME = 0x88;

/**
 * The bytes that a socket received until its end: the whole frames, and the length of a partial
 * one.
 */
interface Received {
  readonly frames: number;
  readonly lastOpcode: number;
  readonly closedWith: number;
  readonly left: number;
}

/** The frames of a server are not masked (RFC 6455 §5.2). */
function parseFrames(bytes: Buffer): Received {
  let [at, frames, lastOpcode, closedWith] = [bytes.indexOf('\r\n\r\n') + 4, 0, 0, 0];
  while (at + 2 <= bytes.length) {
    const short = bytes.readUInt8(at + 1);
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (at + 2 + extended > bytes.length) break;
    const length =
      extended === 8
        ? Number(bytes.readBigUInt64BE(at + 2))
        : extended === 2
          ? bytes.readUInt16BE(at + 2)
          : short;
    const begin = at + 2 + extended;
    if (begin + length > bytes.length) break;
    lastOpcode = bytes.readUInt8(at);
    if (lastOpcode === CLOSE_FRAME) closedWith = bytes.readUInt16BE(begin);
    else JSON.parse(lastOpcode === 0x81 ? bytes.toString('utf8', begin, begin + length) : '{}');
    frames++;
    at = begin + length;
  }
  return { frames, lastOpcode, closedWith, left: bytes.length - at };
}

/**
 * A client without a library; returns all that it received, once the server has ended the stream.
 */
async function read(
  t: Test,
  gateway: GatewayProcess,
  path: string,
): Promise<{ ended: Promise<Received> }> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connectTcp({ host: hostname, port: Number(port) });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  const chunks: Buffer[] = [];
  const begun = new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      resolve(undefined);
    });
  });
  const ended = once(socket, 'end').then(() => parseFrames(Buffer.concat(chunks)));
  socket.write(
    [
      `GET ${path} HTTP/1.1`,
      ...['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `Authorization: Bearer ${await gateway.token('admin')}`,
      '\r\n',
    ].join('\r\n'),
  );
  await begun;
  return { ended };
}

/** Resolves when all are served; each has its end still before it. */
async function crowd(t: Test, gateway: GatewayProcess): Promise<Promise<Received>[]> {
  const ends: Promise<Received>[] = [];
  const paths = Array.from({ length: READERS }, (_, n) => (n % 2 === 0 ? '' : `/vm-${n % 20}`));
  await Promise.all(
    paths.map(async (path) => {
      const { ended } = await read(t, gateway, `/v1/vms${path}`);
      ends.push(ended);
    }),
  );
  return ends;
}

/** Rows that are large, so that frames are in the middle of being written. */
const LARGE = `UPDATE vms SET crd_command = repeat(md5(random()::text), 150)`;

async function loaded(t: Test): Promise<{ database: TestDatabase; writers: Writers }> {
  const database = await startDatabase(t);
  const writers = new Writers(t, () => database.config);
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'large-' || n, 'in-use' FROM generate_series(1, 100) n`,
  );
  await writers.write(100);
  return { database, writers };
}

t.test('nobody is left with half a message', async (t) => {
  const { database, writers } = await loaded(t);
  const gateway = await startGatewayProcess(t, database);
  const readers = await crowd(t, gateway);
  let received: Received[] = [];
  await writers.during(async () => {
    await database.query(LARGE);
    gateway.program.child.kill('SIGTERM');
    const loading = database.query(LARGE);
    received = await Promise.all(readers);
    t.same(await gateway.program.exited, IN_ORDER);
    await loading;
  });
  t.ok(
    received.every(({ frames }) => frames > 2),
    'everyone was told something',
  );
  t.same(
    received.filter(({ left }) => left > 0),
    [],
  );
  t.same(
    received.filter(
      ({ lastOpcode, closedWith }) => lastOpcode !== CLOSE_FRAME || closedWith !== RESTART,
    ),
    [],
    'the last of it is the goodbye',
  );
});

t.test('while it connects to its database again', async (t) => {
  const { database } = await loaded(t);
  const proxy = await startProxy(t, database.config);
  const gateway = await startGatewayProcess(t, {
    ...database,
    config: proxy.through(database.config),
  });
  const readers = await crowd(t, gateway);
  proxy.swallow();
  await terminateListeners(database);
  await until('it tries to', async () => !(await fetch(`${gateway.url}/health/ready`)).ok);
  gateway.program.child.kill('SIGTERM');
  for (const reader of readers) t.match(await reader, { closedWith: RESTART, left: 0 });
  t.same(await gateway.program.exited, IN_ORDER);
});
