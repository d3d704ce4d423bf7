// The pool of connections for queries. LISTEN has its own connection and never comes from here.

import { Socket } from 'node:net';
import pg from 'pg';

/** Deadlines of the client's own: a server that is stopped or unreachable answers nothing. */
const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 15_000;
/** How long the end waits for queries under way and for goodbyes. */
const END_TIMEOUT_MS = 1_000;

export interface QueryPool {
  readonly pool: pg.Pool;
  /**
   * Gives up the connections that nobody uses. To be called when the database seems to be away: they may lead nowhere,
   * and fail one query after the other, each by its deadline; or to a server that the address has left.
   */
  readonly discardIdle: () => void;
  /** Gives up all of them, and fails the queries under way: whoever waits for an answer waits for one that died. */
  readonly discardAll: () => void;
  /** Ends every connection: in order where the server answers, soon by force where it does not. */
  readonly end: () => Promise<void>;
}

/**
 * Makes the pool. Its connections run in UTC, because times without a zone are UTC; a SET is used, and not a startup
 * option, because PgBouncer carries the former over in transaction mode and refuses the latter.
 * @param onIdleError told when a connection is lost that nobody was using; the pool replaces it.
 */
export function createPool(
  config: pg.ClientConfig,
  maxConnections: number,
  onIdleError: (error: Error) => void,
): QueryPool {
  const sockets = new Set<Socket>();
  const pool = new pg.Pool({
    application_name: 'lablink-gateway',
    ...config,
    // The sockets are ours, so that connections that no longer answer can be ended without the server's help.
    stream: () => track(sockets),
    max: maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool waits for it; its types do not say so
    onConnect: async (client: pg.ClientBase) => {
      await client.query("SET TimeZone TO 'UTC'");
    },
  });
  pool.on('error', onIdleError);
  return {
    pool,
    discardIdle: () => discardIdle(pool, onIdleError),
    discardAll: () => destroy(sockets),
    end: () => endPool(pool, sockets),
  };
}

function discardIdle(pool: pg.Pool, onError: (error: Error) => void): void {
  // The pool hands out an idle connection before it opens another.
  for (let idle = pool.idleCount; idle > 0; idle--) {
    pool.connect().then((client) => client.release(true), onError);
  }
}

function track(sockets: Set<Socket>): Socket {
  const socket = new Socket();
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  return socket;
}

function destroy(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

async function endPool(pool: pg.Pool, sockets: ReadonlySet<Socket>): Promise<void> {
  const timer = setTimeout(() => destroy(sockets), END_TIMEOUT_MS);
  await pool.end();
  // The pool does not wait for the goodbyes of its last connections.
  const closed = [...sockets].map((socket) => new Promise((done) => socket.once('close', done)));
  await Promise.all(closed);
  clearTimeout(timer);
}
