// The clients connected to the database, and ending idle sessions. A session that listens is idle
// by nature, and is never ended.

import pg from 'pg';

export interface DatabaseConnection {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string;
  /** Null for a Unix socket. */
  readonly address: string | null;
  /** Null if the role may not see it. */
  readonly state: string | null;
  /** How long the session has been in this state. */
  readonly seconds: number | null;
  readonly listens: boolean;
  readonly query: string;
}

/**
 * The gateways' LISTEN sessions have a name with this end. PostgreSQL does not show which other
 * sessions listen. The last statement of a session that only waits contains the LISTEN, also behind
 * others.
 */
const LISTENS = `(application_name LIKE '% listen' OR query ~* '\\mLISTEN\\s')`;

const CONNECTIONS = `
  SELECT pid, usename AS user, application_name AS application, host(client_addr) AS address, state,
    extract(epoch FROM clock_timestamp() - state_change)::float8 AS seconds, ${LISTENS} AS listens, query
  FROM pg_catalog.pg_stat_activity
  WHERE datname = current_database() 
    AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()`;

/** Lists the client sessions of this database, except this one. */
export async function listConnections(session: pg.Client): Promise<DatabaseConnection[]> {
  const { rows } = await session.query<DatabaseConnection>(
    `${CONNECTIONS} ORDER BY application, pid`,
  );
  return rows;
}

/** Lists the sessions that have been idle for `minutes` and do not listen. */
export async function listIdleConnections(
  session: pg.Client,
  minutes: number,
): Promise<DatabaseConnection[]> {
  const { rows } = await session.query<DatabaseConnection>(
    `SELECT * FROM (${CONNECTIONS}) AS c
     WHERE state = 'idle' AND NOT listens AND seconds >= 60 * $1::float8 ORDER BY seconds DESC`,
    [minutes],
  );
  return rows;
}

export type EndResult = 'ended' | 'no longer idle' | 'not allowed';

/**
 * Ends a session if it is still idle. Sessions of other roles need the rights of pg_signal_backend.
 */
export async function endIdleConnection(
  session: pg.Client,
  { pid }: DatabaseConnection,
  minutes: number,
): Promise<EndResult> {
  try {
    const { rows } = await session.query<{ ended: boolean }>(
      `SELECT pg_terminate_backend(pid) AS ended FROM (${CONNECTIONS}) AS c
       WHERE pid = $1 AND state = 'idle' AND NOT listens AND seconds >= 60 * $2::float8`,
      [pid, minutes],
    );
    return rows[0]?.ended === true ? 'ended' : 'no longer idle';
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '42501') return 'not allowed';
    throw error;
  }
}
