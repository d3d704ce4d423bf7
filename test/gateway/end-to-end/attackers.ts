// A hostile client as a process of its own with its own file descriptors: `attackers.ts <attack>
// <url> <token>`. It goes on until it is killed, and prints each answer on a line.

import { connect as connectTcp, type Socket } from 'node:net';
import { WebSocket } from 'ws';

const [, , attack = '', url = '', token = ''] = process.argv;
const { hostname, port } = new URL(url);

const tell = (what: string | number): void => void process.stdout.write(`${what}\n`);

/**
 * Sends the text, and prints the status of the answer, or `cut` if the connection ended without an
 * answer.
 */
function open(text: string, again: () => void): Socket {
  const socket = connectTcp(Number(port), hostname, () => socket.write(text));
  let status = 'cut';
  socket.on('data', (data: Buffer) => (status = data.toString().slice(9, 12)));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    tell(status);
    again();
  });
  return socket;
}

const UPGRADE = 'GET /v1/vms HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
const KEY = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

const BROKEN = [
  '',
  '\r\n\r\n\u0000\u0001 no HTTP\r\n\r\n',
  UPGRADE,
  `${UPGRADE}\r\n`,
  `${UPGRADE}${KEY}\r\n`,
  `${UPGRADE}${KEY}Authorization: Bearer a.b.c\r\n\r\n`,
  `${UPGRADE}Authorization: Bearer ${token}\r\n\r\n`,
  `${UPGRADE}Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  `${UPGRADE}X: ${'x'.repeat(20_000)}\r\n\r\n`,
];

function socket(): WebSocket {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/v1/vms`, {
    headers: { authorization: `Bearer ${token}` },
  });
  ws.on('error', () => undefined);
  ws.on('unexpected-response', (_request, response) => {
    tell(response.statusCode ?? 'cut');
    ws.terminate();
  });
  return ws;
}

const FRAMES_PER_SECOND = 10_000;
const TICK_MS = 10;

const ATTACKS: Readonly<Record<string, () => void>> = {
  /** A thousand handshakes at once, each kept open as long as the gateway allows. */
  'broken-handshakes': () => {
    for (let n = 0; n < 1_000; n++) open(BROKEN[n % BROKEN.length] ?? '', () => undefined);
  },

  /** Ten thousand frames a second; a new socket opens whenever the last is closed. */
  frames: () => {
    const ws = socket();
    let timer: NodeJS.Timeout | undefined;
    ws.on('open', () => {
      timer = setInterval(() => {
        for (let n = 0; n < (FRAMES_PER_SECOND * TICK_MS) / 1_000; n++) ws.send('{"type":"ping"}');
      }, TICK_MS);
    });
    ws.on('close', (code) => {
      clearInterval(timer);
      tell(code);
      setTimeout(() => ATTACKS.frames?.(), TICK_MS);
    });
  },

  /** A frame of 100 MB, and the same bytes in fragments. */
  huge: () => {
    const whole = socket();
    whole.on('open', () => whole.send(Buffer.alloc(100e6, 'x'), { binary: false }));
    whole.on('close', tell);
    const parts = socket();
    parts.on('open', () => {
      for (let n = 0; n < 100; n++) parts.send(Buffer.alloc(1e6, 'x'), { fin: n === 99 });
    });
    parts.on('close', tell);
  },

  /**
   * Three hundred clients send a byte of a header now and then, and reconnect when they are cut
   * off.
   */
  slowloris: () => {
    const one = (): void => {
      const tcp = open('GET /health/live HTTP/1.1\r\nX: ', () => {
        clearInterval(trickle);
        setTimeout(one, 100);
      });
      const trickle = setInterval(() => tcp.write('x'), 500);
    };
    for (let n = 0; n < 300; n++) one();
  },

  /** More sockets than the gateway has file descriptors, with a valid token. */
  sockets: () => {
    for (let n = 0; n < 300; n++) {
      const ws = socket();
      ws.on('open', () => tell(101));
      ws.on('close', tell);
    }
  },

  /** Dashboards that read nothing, however much they are sent. */
  'slow-readers': () => {
    for (let n = 0; n < 40; n++) {
      const ws = socket();
      ws.on('open', () => {
        ws.pause();
        tell(101);
      });
    }
  },
};

ATTACKS[attack]?.();
