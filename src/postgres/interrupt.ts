// Ends the work of a connection when its caller is interrupted. The server is asked to cancel what
// it runs, because a closed connection alone does not end a statement that computes.

import { connect, type Socket } from 'node:net';
import type pg from 'pg';

/** Several requests, because one that arrives between two statements cancels nothing. */
const CANCEL_INTERVAL_MS = 100;
/** How long the work may take to end by itself; then the socket is destroyed. */
const END_TIMEOUT_MS = 1_000;

/** CancelRequest (PostgreSQL, "Message Formats"): 16 bytes on a connection of its own. */
const CANCEL_REQUEST_BYTES = 16;
const CANCEL_REQUEST_CODE = 80_877_102;

/**
 * Cancels the work of the client once `signal` is aborted, and destroys its socket if the work goes
 * on for a second.
 *
 * @returns a function to call when the work has ended.
 */
export function cancelOnAbort(client: pg.Client, socket: Socket, signal: AbortSignal): () => void {
  const timers: NodeJS.Timeout[] = [];
  const cancel = (): void => {
    requestCancel(client, socket);
    timers.push(setInterval(() => requestCancel(client, socket), CANCEL_INTERVAL_MS));
    timers.push(setTimeout(() => socket.destroy(), END_TIMEOUT_MS));
  };
  signal.addEventListener('abort', cancel, { once: true });
  return () => {
    signal.removeEventListener('abort', cancel);
    for (const timer of timers) clearTimeout(timer);
  };
}

/** The server does not answer this request; a failure shows in the work, which goes on. */
function requestCancel(client: pg.Client, socket: Socket): void {
  const key = readKey(client);
  if (key === undefined) {
    socket.destroy(); // It is not connected yet.
    return;
  }
  const request = Buffer.alloc(CANCEL_REQUEST_BYTES);
  request.writeInt32BE(CANCEL_REQUEST_BYTES, 0);
  request.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  request.writeInt32BE(key.processID, 8);
  request.writeInt32BE(key.secretKey, 12);
  const { host, port } = client;
  const canceller = host.startsWith('/')
    ? connect(`${host}/.s.PGSQL.${port}`)
    : connect(socket.remotePort ?? port, socket.remoteAddress ?? host);
  canceller.on('error', () => undefined);
  canceller.end(request);
}

/** The types of pg lack the two numbers of BackendKeyData. */
function readKey(client: object): { processID: number; secretKey: number } | undefined {
  if (!('processID' in client) || !('secretKey' in client)) return undefined;
  const { processID, secretKey } = client;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return undefined;
  return { processID, secretKey };
}
