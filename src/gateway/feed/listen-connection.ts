// A LISTEN connection, from its opening to its loss, which is reported once. pg-listen does the
// listening but does not reconnect: its own loop gives up silently, leaks a session if closed
// meanwhile, and does not distinguish an error of a payload from the end of the connection.

import { Socket } from 'node:net';
import type pg from 'pg';
import pgListen from 'pg-listen';
import { chooseServer } from '../../postgres/choose-server.js';

export interface ListenConnection {
  /** Resolves with the reason when the connection is lost. Never rejects. */
  readonly lost: Promise<Error>;
  /** Ends the connection, whatever its state. */
  drop(reason: Error): void;
}

/** Deadlines of the client's own: an unreachable server answers nothing. */
const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 5_000;
/** How long an orderly end may take before the socket is destroyed. */
const END_TIMEOUT_MS = 500;

/** Connects and listens to all channels; rejects if that fails, or if the signal is aborted. */
export async function openListenConnection(
  config: pg.ClientConfig,
  channels: readonly string[],
  onNotification: (channel: string, payload: string) => void,
  signal: AbortSignal,
): Promise<ListenConnection> {
  const server = await chooseServer(config);
  signal.throwIfAborted();
  // The socket is ours, so that a connection that no longer answers can be destroyed.
  const socket = new Socket();
  const subscriber = pgListen.default(
    {
      ...server,
      stream: () => socket,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    },
    { retryLimit: 1, paranoidChecking: false, parse: (text) => text },
  );
  let lose: (reason: Error) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => (lose = resolve));
  subscriber.events.on('error', (error) => {
    socket.destroy();
    lose(error);
  });
  subscriber.events.on('notification', ({ channel, payload }) => {
    onNotification(channel, typeof payload === 'string' ? payload : '');
  });
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort);
  try {
    await subscriber.connect();
    for (const channel of channels) await subscriber.listenTo(channel);
  } catch (error) {
    end(subscriber, socket);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return {
    lost,
    drop: (reason) => {
      end(subscriber, socket);
      lose(reason);
    },
  };
}

/** Ends the session in order, but does not wait for a server that may be gone. */
function end(subscriber: pgListen.Subscriber, socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS);
  const ended = (): void => clearTimeout(timer);
  subscriber.close().then(ended, ended);
}
