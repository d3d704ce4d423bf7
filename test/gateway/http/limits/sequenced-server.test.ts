// A connection's requests are dispatched one after the other, and what is no WebSocket is answered
// as plain HTTP.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import {
  MAX_PIPELINED,
  SequencedServer,
} from '../../../../src/gateway/http/limits/sequenced-server.js';
import { MAX_REQUESTS_PER_TURN } from '../../../../src/gateway/http/limits/loop-share.js';
import { openRaw, sendRaw } from '../../../helpers/raw-http.js';
import { until } from '../../../helpers/until.js';

interface Dispatched {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * A server that collects what is dispatched, and answers each request with its URL if `answers`.
 */
async function startServer(t: Test, answers: boolean) {
  const dispatched: Dispatched[] = [];
  const upgrades: string[] = [];
  const reject = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(429, { Connection: 'close' }).end('too many');
  };
  const server = new SequencedServer({}, reject);
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    dispatched.push({ request, response });
    if (!answers) return;
    request.setEncoding('utf8');
    void request.toArray().then((parts) => response.end(`<${request.url}${parts.join('')}>`));
  });
  server.on('upgrade', (request, socket) => {
    upgrades.push(request.url ?? '');
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  let connections = 0;
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    dispatched,
    upgrades,
    accepted: () => connections,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
}

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const WEBSOCKET = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n';
const CLOSE = 'Connection: close\r\n';

t.test('a request waits until the response before it is sent', async (t) => {
  const { url, dispatched } = await startServer(t, false);
  const { socket, received } = openRaw(url);
  socket.write(get('/1') + get('/2') + get('/3', CLOSE));
  for (const n of [1, 2, 3]) {
    await until('the next is dispatched', () => dispatched.length === n);
    dispatched[n - 1]?.response.end(`<${n}>`);
  }
  await once(socket, 'end');
  t.match(received(), /<1>[^]*<2>[^]*<3>/);
  socket.destroy();
});

t.test('requests that wait are dropped when their connection closes', async (t) => {
  const { url, dispatched } = await startServer(t, false);
  const { socket } = openRaw(url);
  socket.write(get('/').repeat(10));
  await until('the first is dispatched', () => dispatched.length === 1);
  socket.destroy();
  await until('it is closed', () => dispatched[0]?.response.closed ?? false);
  await new Promise(setImmediate);
  t.equal(dispatched.length, 1);
});

t.test('requests behind a response that closes the connection are dropped', async (t) => {
  const { url, dispatched } = await startServer(t, false);
  const { socket, received } = openRaw(url);
  socket.write(get('/').repeat(10));
  await until('the first is dispatched', () => dispatched.length === 1);
  dispatched[0]?.response.setHeader('Connection', 'close').end('<last>');
  await once(socket, 'end');
  t.match(received(), /<last>$/);
  t.equal(dispatched.length, 1);
  socket.destroy();
});

t.test('a request whose body is cut is rejected when its client stops sending', async (t) => {
  const { url, dispatched } = await startServer(t, false);
  const cut = 'POST /cut HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nshort';
  const alone = openRaw(url);
  alone.socket.end(cut);
  await once(alone.socket, 'end');
  t.match(alone.received(), /^HTTP\/1\.1 400 /);

  const behind = openRaw(url);
  behind.socket.end(get('/1') + cut);
  await until('the first is dispatched', () => dispatched.at(-1)?.request.url === '/1');
  await until('the end has arrived', () => dispatched.at(-1)?.request.socket.isPaused() ?? false);
  dispatched.at(-1)?.response.end('<1>');
  await once(behind.socket, 'end');
  t.match(behind.received(), /<1>HTTP\/1\.1 400 /);
  t.equal(dispatched.length, 2, 'the cut request was dispatched only when it was the first');
  alone.socket.destroy();
  behind.socket.destroy();
});

t.test('too many pipelined requests are rejected after the responses before', async (t) => {
  const { url, dispatched } = await startServer(t, true);
  const answer = await sendRaw(url, get('/').repeat(2_000));
  t.equal(answer.split('</>').length - 1, 1 + MAX_PIPELINED);
  t.equal(dispatched.length, 1 + MAX_PIPELINED);
  t.match(answer, /<\/>HTTP\/1\.1 429 [^]*too many/);
});

t.test('an Upgrade that is no WebSocket is ignored, as often as it comes', async (t) => {
  const warnings: Error[] = [];
  const warn = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warn);
  t.teardown(() => process.off('warning', warn));
  const { url, upgrades } = await startServer(t, true);
  const post = `POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n${H2C}\r\n12345`;
  const answer = await sendRaw(url, (get('/a', H2C) + post).repeat(7) + get('/b', CLOSE));
  t.match(answer, new RegExp(`^${'[^]*</a>[^]*</p12345>'.repeat(7)}[^]*</b>$`));
  t.same(upgrades, []);
  await new Promise(setImmediate);
  t.same(warnings, []);
});

t.test('only a GET of HTTP/1.1 becomes a WebSocket', async (t) => {
  const { url, upgrades } = await startServer(t, true);
  for (const head of ['HEAD / HTTP/1.1', 'POST / HTTP/1.1', 'GET / HTTP/1.0']) {
    const upgrade = `${head}\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    t.match(await sendRaw(url, upgrade), /^HTTP\/1\.1 200 /, head);
  }
  t.same(upgrades, []);
  t.match(await sendRaw(url, get('/', WEBSOCKET)), /^HTTP\/1\.1 101 /);
  const offers = 'Connection: Upgrade\r\nUpgrade: h2c, WebSocket\r\n';
  t.match(await sendRaw(url, get('/', offers)), /^HTTP\/1\.1 101 /);
});

t.test('an upgrade waits for the responses before it, however large', async (t) => {
  const { url, dispatched, upgrades } = await startServer(t, false);
  const { socket, received } = openRaw(url);
  socket.pause().write(get('/1') + get('/2') + get('/3', WEBSOCKET));
  const large = Buffer.alloc(8 * 2 ** 20, '.');
  for (const n of [1, 2]) {
    await until('the next is dispatched', () => dispatched.length === n);
    t.same(upgrades, []);
    const response = dispatched[n - 1]?.response;
    // In parts, as a stream writes.
    const write = (): unknown =>
      response?.write(large) === true
        ? response.end()
        : response?.once('drain', () => response.end());
    write();
    if (n === 1) socket.resume();
  }
  await once(socket, 'end');
  t.match(received().slice(-100), /101 Switching Protocols\r\n\r\n$/);
  t.same(upgrades, ['/3']);
  socket.destroy();
});

t.test('bytes that are no HTTP are answered after the responses before', async (t) => {
  const { url } = await startServer(t, true);
  t.match(await sendRaw(url, `${get('/1')}no HTTP\r\n\r\n`), /<\/1>HTTP\/1\.1 400 /);
  t.match(await sendRaw(url, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

t.test('a client that expects 100 gets it when its body is read, and not before', async (t) => {
  const { url, dispatched } = await startServer(t, false);
  const { socket, received } = openRaw(url);
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n');
  await until('it is dispatched', () => dispatched.length === 1);
  await new Promise(setImmediate);
  t.equal(received(), '');
  dispatched[0]?.request.resume();
  await until('it may send', () => received().startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  socket.destroy();
});

t.test('requests and upgrades that arrive together begin over several turns', async (t) => {
  const { url, dispatched, upgrades, accepted } = await startServer(t, true);
  const sockets = Array.from({ length: 100 }, () => openRaw(url).socket);
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  for (const socket of sockets) socket.on('error', () => undefined);
  await until('all are connected', () => accepted() === sockets.length);
  const began = (): number => dispatched.length + upgrades.length;
  sockets.forEach((socket, n) => socket.write(n % 2 === 0 ? get('/') : get('/', WEBSOCKET)));
  // All has arrived before the server's turn.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  const perTurn: number[] = [];
  while (began() < sockets.length) {
    const before = began();
    await new Promise(setImmediate);
    perTurn.push(began() - before);
  }
  t.ok(Math.max(...perTurn) <= 2 * MAX_REQUESTS_PER_TURN, `${Math.max(...perTurn)} in a turn`);
  t.equal(upgrades.length, 50);
});
