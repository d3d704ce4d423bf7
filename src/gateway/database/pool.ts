// The pool of connections for queries. LISTEN never uses it, but has its own connection.

import { Socket } from 'node:net';
import pg from 'pg';
import { createClientClass } from '../../postgres/choose-server.js';

/** Timeouts on the client's side, because a stopped or unreachable server never answers. */
const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 15_000;
/**
 * A connection is replaced after this time, so that none stays on a former server of the address.
 */
const MAX_LIFETIME_SECONDS = 600;
/** How long running queries, and the server's closing of its connections, are waited for. */
const END_TIMEOUT_MS = 1_000;

/**
 * The server probes a session that is idle for 30 s, and ends it 30 s later if nothing answers.
 * Without this, each partition of the network would leave its sessions in the server for two hours.
 *
 * Sent in a single round trip. Only a superuser, or a role to which the setting is granted, may
 * change log_parameter_max_length; for any other role the setting of the server or of the role
 * applies.
 */
const SESSION_SETTINGS = `
  SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO, YMD';
  SET log_parameter_max_length_on_error TO 0;
  SET tcp_keepalives_idle TO 30; SET tcp_keepalives_interval TO 10; SET tcp_keepalives_count TO 3;
  DO $$ BEGIN
    SET log_parameter_max_length TO 0;
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END $$`;

/** The pool, and the ways to give up its connections. */
export interface QueryPool {
  readonly pool: pg.Pool;
  /**
   * Closes the idle connections. Call it when the database seems to be unreachable. A dead idle
   * connection would fail a query after its timeout, and another may lead to a former server of the
   * address.
   */
  readonly discardIdle: () => void;
  /** Closes all connections, and fails the running queries, because their server has died. */
  readonly discardAll: () => void;
  /**
   * Closes every connection: gracefully if the server answers, otherwise by force after a second.
   */
  readonly end: () => Promise<void>;
}

/**
 * Creates the pool. Its connections use UTC, because times without a zone are UTC. The zone is set
 * with SET instead of a startup option, because PgBouncer in transaction mode keeps SET and rejects
 * startup options. The connections also keep values, such as the command of an assignment, out of
 * the server's log.
 * @param onIdleError called when an idle connection is lost; the pool replaces it
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
    Client: createClientClass(config),
    // The pool creates its sockets here, so that a connection can be closed even if its server does
    // not answer.
    stream: () => track(sockets),
    max: maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool waits for it; its types do not say so
    onConnect: async (client: pg.ClientBase) => {
      await client.query(SESSION_SETTINGS);
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
  // The pool returns an idle connection before it opens a new one.
  for (let idle = pool.idleCount; idle > 0; idle--) {
    pool.connect().then((client) => client.release(true), onError);
  }
}

function track(sockets: Set<Socket>): Socket {
  const socket = new Socket();
  sockets.add(socket);
  let timer: NodeJS.Timeout | undefined;
  // After our end is closed, a server that does not close its own would keep the socket open.
  socket.once('finish', () => {
    timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS);
  });
  socket.once('close', () => {
    clearTimeout(timer);
    sockets.delete(socket);
  });
  return socket;
}

function destroy(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

async function endPool(pool: pg.Pool, sockets: ReadonlySet<Socket>): Promise<void> {
  const timer = setTimeout(() => destroy(sockets), END_TIMEOUT_MS);
  await pool.end();
  // `pool.end` does not wait until its last connections are closed.
  const closed = [...sockets].map((socket) => new Promise((done) => socket.once('close', done)));
  await Promise.all(closed);
  clearTimeout(timer);
}
