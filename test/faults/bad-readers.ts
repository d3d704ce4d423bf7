// Clients with a good token who do harm by what they read and say: one that reads nothing and yet
// shows that it lives, one that reads a byte a second, and one that says more than anybody can want
// to hear.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { WebSocket } from 'ws';
import type { Teardown } from '../helpers/database.js';
import { clientEnd } from '../helpers/sockets.js';

/** The address of a socket, and the token that opens it. */
export interface Endpoint {
  readonly url: string;
  readonly path: string;
  readonly token: string;
}

const ALIVE_MS = 500;
const BYTE_MS = 1_000;
const BURST_MS = 10;
const FRAMES_PER_BURST = 100;

async function open({ url, path, token }: Endpoint): Promise<WebSocket> {
  const ws = new WebSocket(url.replace('http', 'ws') + path, {
    headers: { authorization: `Bearer ${token}` },
  });
  ws.on('error', () => undefined);
  await once(ws, 'open');
  return ws;
}

/**
 * Reads nothing from when it is open, and says that it lives. Its gateway can only see that it
 * makes no progress.
 */
export async function readNothing(t: Teardown, endpoint: Endpoint): Promise<void> {
  const ws = await open(endpoint);
  clientEnd(ws).pause();
  const alive = setInterval(() => ws.ping(), ALIVE_MS);
  t.teardown(() => {
    clearInterval(alive);
    ws.terminate();
  });
}

/** Reads a byte a second, by the kernel's own measure: no library reads ahead of it. */
export async function readBytewise(t: Teardown, { url, path, token }: Endpoint): Promise<void> {
  const { hostname, port } = new URL(url);
  const onread = { buffer: Buffer.alloc(1), callback: () => false };
  const socket = connectTcp({ host: hostname, port: Number(port), onread });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(
    [
      `GET ${path} HTTP/1.1`,
      `Host: ${hostname}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `Authorization: Bearer ${token}`,
      '\r\n',
    ].join('\r\n'),
  );
  const reading = setInterval(() => socket.resume(), BYTE_MS);
  t.teardown(() => {
    clearInterval(reading);
    socket.destroy();
  });
}

/** Says ten thousand things a second, and comes back whenever it is turned away. */
export function talkEndlessly(t: Teardown, endpoint: Endpoint): void {
  let over = false;
  let socket: WebSocket | undefined;
  const talk = async (): Promise<void> => {
    while (!over) {
      const ws = (socket = await open(endpoint));
      const burst = setInterval(() => {
        for (let n = 0; n < FRAMES_PER_BURST; n++) ws.send('{"type":"ping"}');
      }, BURST_MS);
      await once(ws, 'close');
      clearInterval(burst);
    }
  };
  // It ends with its gateway, at the latest.
  talk().catch(() => undefined);
  t.teardown(() => {
    over = true;
    socket?.terminate();
  });
}
