// Connections to a gateway that begin as an upgrade and go on as WebSocket frames, mutated in
// either part, byte for byte.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mutations } from './mutations.js';

const AT_ONCE = 20;
const MOST_FRAMES = 20;
/**
 * How long an answer is waited for before the connection is dropped in the middle of whatever it
 * is.
 */
const PATIENCE_MS = 20;

/**
 * Sends so many handshakes and frames in all. The gateway must be there in the end: it is for the
 * caller to ask.
 */
export async function fuzzUpgrades(
  url: string,
  tokens: readonly [string, ...string[]],
  count: number,
  mutations: Mutations,
): Promise<void> {
  let sent = 0;
  const one = async (): Promise<void> => {
    while (sent < count) sent += await converse(url, tokens, mutations);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** @returns how much was sent: the handshake, and each frame. */
async function converse(
  url: string,
  tokens: readonly [string, ...string[]],
  mutations: Mutations,
): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.on('error', () => undefined).resume();
  const closed = once(socket, 'close').catch(() => undefined);
  const handshake = buildHandshake(mutations.of(tokens));
  // Most are right, so that frames are heard.
  const isRight = mutations.index(4) > 0;
  const text = isRight ? handshake : mutations.text([handshake]);
  const frames = Array.from({ length: mutations.index(MOST_FRAMES) }, () => buildFrame(mutations));
  socket.write(Buffer.concat([Buffer.from(text, 'latin1'), ...frames]));
  await Promise.race([closed, sleep(PATIENCE_MS)]);
  socket.destroy();
  await closed;
  return 1 + frames.length;
}

const PATHS = ['/v1/vms', '/v1/vms/vm-1', '/v1/vms?cursor=a.1', '/v1/vms/%00', '/else'];
let asked = 0;

const buildHandshake = (token: string): string =>
  [
    `GET ${PATHS[asked++ % PATHS.length] ?? ''} HTTP/1.1`,
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Authorization: Bearer ${token}`,
    '\r\n',
  ].join('\r\n');

const TEXT = 0x81;
const OPCODES: readonly [number, ...number[]] = [
  ...([TEXT, TEXT, TEXT, TEXT, 0x01, 0x80, 0x82, 0x88, 0x89, 0x8a] as const),
  ...[0x83, 0xc1, 0xff, 0x00],
];
const TEXTS: readonly [string, ...string[]] = [
  '{"type":"ping"}',
  '{"type":"status","status":"failed"}',
  '{"type":"ack","assignment_id":"0b8a1a34-6f0e-4a51-9d6c-0f8e4d2c1b7a"}',
];

/** RFC 6455 §5.2, with its length and mask right, mostly. */
function buildFrame(mutations: Mutations): Buffer {
  const payload = Buffer.from(mutations.text(TEXTS));
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  const mask = mutations.noise(4);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  const frame = Buffer.concat([Buffer.from([mutations.of(OPCODES)]), length, mask, masked]);
  if (mutations.index(10) === 0) frame[mutations.index(frame.length)] = mutations.index(256);
  return frame;
}
