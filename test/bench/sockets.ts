// The WebSockets of one process: agents, each watching its own row, and dashboards, watching all of them.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { signToken } from '../../src/auth/token.js';
import { FLEET_PATH, vmPath } from '../../src/protocol/paths.js';
import { nowUs } from './clock.js';
import type { Copy } from './copy.js';
import { readMessage } from './messages.js';
import { hostnameOf } from './rows.js';
import { BENCH_SECRET } from './secret.js';

export interface Endpoint {
  readonly url: string;
  /** Whether the server tells the current state first: then that is waited for. */
  readonly tellsState: boolean;
}

const TOKEN_TTL_SECONDS = 3_600;
const open = new Set<WebSocket>();

export async function connectAgent(endpoint: Endpoint, row: number, copy: Copy): Promise<void> {
  const hostname = hostnameOf(row);
  const token = await signToken(
    { role: 'agent', sub: hostname, ttlSeconds: TOKEN_TTL_SECONDS },
    BENCH_SECRET,
  );
  await connect(endpoint, vmPath(hostname), token, copy);
}

export async function connectDashboard(endpoint: Endpoint, copy: Copy): Promise<void> {
  const token = await signToken(
    { role: 'dashboard', sub: 'bench', ttlSeconds: TOKEN_TTL_SECONDS },
    BENCH_SECRET,
  );
  await connect(endpoint, FLEET_PATH, token, copy);
}

export async function closeAll(): Promise<void> {
  const closing = [...open];
  open.clear();
  await Promise.all(
    closing.map((ws) => {
      ws.close();
      return once(ws, 'close');
    }),
  );
}

/** Resolves when the socket may be pushed to. */
async function connect(
  { url, tellsState }: Endpoint,
  path: string,
  token: string,
  copy: Copy,
): Promise<void> {
  const ws = new WebSocket(url + path, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  const complete = follow(ws, copy);
  await once(ws, 'open');
  open.add(ws);
  ws.on('close', (code) => {
    // By the other side: nothing measured from here on could be trusted.
    if (open.delete(ws)) throw new Error(`a socket was closed with ${code}`);
  });
  if (tellsState) await complete;
}

/** Keeps the copy up to date; resolves when it has been told the whole state. */
function follow(ws: WebSocket, copy: Copy): Promise<void> {
  return new Promise((resolve) => {
    ws.on('message', (data: Buffer) => {
      const receivedUs = nowUs();
      const { changes, complete } = readMessage(data.toString('latin1')); // The rows are ASCII.
      for (const change of changes) copy.take(change, receivedUs);
      if (complete) resolve();
    });
  });
}
