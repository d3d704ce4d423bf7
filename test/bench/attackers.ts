// A process of hostile clients, at a pace that leaves CPU to the others. They flood, break
// handshakes, send endless headers, and read nothing as dashboards. The process attacks from the
// call until it ends.

import { connect as connectTcp } from 'node:net';
import { WebSocket } from 'ws';
import { signToken } from '../../src/gateway/auth/token.js';
import { FLEET_PATH } from '../../src/protocol/paths.js';
import { serve } from '../../src/loadtest/rpc.js';
import { CREDENTIALS } from './servers.js';

const FLOODERS = 5;
const FRAMES_PER_SECOND = 10_000;
const HANDSHAKES_PER_SECOND = 200;
const SLOW_HEADERS = 50;
const SLOW_READERS = 10;
const TICK_MS = 10;

const UPGRADE = `GET ${FLEET_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
const BROKEN = ['', UPGRADE, `${UPGRADE}\r\n`, `${UPGRADE}Authorization: Bearer a.b.c\r\n\r\n`];

function socket(url: string, token: string): WebSocket {
  const ws = new WebSocket(url.replace('http', 'ws') + FLEET_PATH, {
    headers: { authorization: `Bearer ${token}` },
  });
  return ws.on('error', () => undefined);
}

/** Comes back whenever it is closed. */
function flood(url: string, token: string): void {
  const ws = socket(url, token);
  let timer: NodeJS.Timeout | undefined;
  ws.on('open', () => {
    timer = setInterval(() => {
      for (let n = 0; n < (FRAMES_PER_SECOND * TICK_MS) / 1e3; n++) ws.send('{"type":"ping"}');
    }, TICK_MS);
  });
  ws.on('close', () => {
    clearInterval(timer);
    setTimeout(() => flood(url, token), TICK_MS);
  });
}

function readNothing(url: string, token: string): void {
  const ws = socket(url, token);
  ws.on('open', () => ws.pause());
}

function handshake(url: URL, text: string): void {
  const tcp = connectTcp(Number(url.port), url.hostname, () => tcp.write(text));
  tcp.on('error', () => undefined).resume();
}

function sendHeadersSlowly(url: URL): void {
  const tcp = connectTcp(Number(url.port), url.hostname, () => tcp.write('GET / HTTP/1.1\r\nX: '));
  const trickle = setInterval(() => tcp.write('x'), 500);
  tcp.on('error', () => undefined).resume();
  tcp.on('close', () => {
    clearInterval(trickle);
    setTimeout(() => sendHeadersSlowly(url), TICK_MS);
  });
}

const handlers = {
  attack: async ({ url }: { url: string }): Promise<void> => {
    const token = signToken(
      { role: 'dashboard', sub: 'attacker', ttlSeconds: 3_600 },
      CREDENTIALS.secret,
    );
    for (let n = 0; n < FLOODERS; n++) flood(url, token);
    for (let n = 0; n < SLOW_READERS; n++) readNothing(url, token);
    for (let n = 0; n < SLOW_HEADERS; n++) sendHeadersSlowly(new URL(url));
    let count = 0;
    setInterval(() => {
      for (let n = 0; n < (HANDSHAKES_PER_SECOND * TICK_MS) / 1e3; n++) {
        handshake(new URL(url), BROKEN[count++ % BROKEN.length] ?? '');
      }
    }, TICK_MS);
  },
};
export type AttackersHandlers = typeof handlers;

serve(handlers);
