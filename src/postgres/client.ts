// A connection for one operation. A connection that breaks fails the query under way and nothing
// else, and a server that does not answer cannot delay the end of the operation.

import { Socket } from 'node:net';
import pg from 'pg';
import { chooseServer } from './choose-server.js';
import { cancelOnAbort } from './interrupt.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** How long a server may take to close the connection before the socket is destroyed. */
const END_TIMEOUT_MS = 1_000;

/**
 * Runs `work` on a connection of its own, which ends with it. Waits 5 s for the connection unless
 * `config` has another `connectionTimeoutMillis`; queries wait as long as `config` says.
 *
 * @param signal cancels the query under way, on the server too, and ends the connection.
 * @throws what `work` throws; an error of `pg` or of the network when the server cannot be reached
 */
export async function withClient<T>(
  config: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const server = await chooseServer(config);
  const socket = new Socket();
  const client = new pg.Client({
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...server,
    stream: () => socket,
  });
  // The query under way fails too; without a listener the process would end.
  client.on('error', () => undefined);
  const stopWatching = signal && cancelOnAbort(client, socket, signal);
  try {
    await client.connect();
    return await work(client);
  } finally {
    stopWatching?.();
    const timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS);
    await client.end().catch(() => undefined);
    clearTimeout(timer);
  }
}
