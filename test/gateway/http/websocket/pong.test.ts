// A client's Ping is answered although messages wait in its socket, and unanswered Pings do not
// accumulate.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createPingResponder } from '../../../../src/gateway/http/websocket/pong.js';
import { clientEnd } from '../../../helpers/sockets.js';
import { until } from '../../../helpers/until.js';

/** More than the buffers of a loopback connection hold. */
const BACKLOG_BYTES = 32 * 1024 * 1024;

async function connectPair(t: Test): Promise<{ server: WebSocket; client: WebSocket }> {
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
  t.teardown(() => listener.close());
  await once(listener, 'listening');
  const accepted = once(listener, 'connection') as Promise<[WebSocket]>;
  const client = new WebSocket(`ws://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  t.teardown(() => client.terminate());
  const [[server]] = await Promise.all([accepted, once(client, 'open')]);
  return { server, client };
}

/** Answers the Pings that `server` receives; returns their number. */
function answerPings(server: WebSocket): () => number {
  const answer = createPingResponder(server);
  let count = 0;
  server.on('ping', (payload: Buffer) => {
    count++;
    answer(payload);
  });
  return () => count;
}

t.test('a slow reader gets a Pong for its latest Ping', async (t) => {
  const { server, client } = await connectPair(t);
  const pings = answerPings(server);
  const pongs: string[] = [];
  client.on('pong', (payload: Buffer) => pongs.push(payload.toString()));
  clientEnd(client).pause();
  server.send(Buffer.alloc(BACKLOG_BYTES));
  for (let n = 1; n <= 100; n++) client.ping(String(n));
  const before = server.bufferedAmount;
  t.ok(before > 0, 'messages wait');
  await until('the Pings arrived', () => pings() === 100);
  t.ok(server.bufferedAmount <= before + 10, 'a single Pong waits');
  clientEnd(client).resume();
  await until('the latest Ping is answered', () => pongs.includes('100'));
  t.strictSame(pongs, ['1', '100']);
});

t.test('each Ping of a quick reader is answered', async (t) => {
  const { server, client } = await connectPair(t);
  answerPings(server);
  for (const payload of ['a', 'b']) {
    client.ping(payload);
    const [pong] = (await once(client, 'pong')) as [Buffer];
    t.equal(pong.toString(), payload);
  }
});

t.test('a Pong that waits for a socket that closes is dropped', async (t) => {
  const { server, client } = await connectPair(t);
  const pings = answerPings(server);
  clientEnd(client).pause();
  server.send(Buffer.alloc(BACKLOG_BYTES));
  client.ping('1');
  client.ping('2');
  await until('the Pings arrived', () => pings() === 2);
  const closed = once(server, 'close');
  server.terminate();
  await closed;
  t.equal(server.readyState, WebSocket.CLOSED);
});
