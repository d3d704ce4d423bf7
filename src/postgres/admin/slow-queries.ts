// Queries that take long: those under way, and the server's logging of them.

import pg from 'pg';
import { takeOnlyRow } from './session.js';

export interface SlowQuery {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string;
  readonly seconds: number;
  /** What it waits for; null when it works. */
  readonly waits: string | null;
  readonly query: string;
}

/** Those that have been under way for so long, the longest first. */
export async function listSlowQueries(session: pg.Client, seconds: number): Promise<SlowQuery[]> {
  const { rows } = await session.query<SlowQuery>(
    `SELECT pid, usename AS user, application_name AS application,
       extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds,
       concat_ws(' ', wait_event_type, wait_event) AS waits, query
     FROM pg_catalog.pg_stat_activity
     WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
       AND clock_timestamp() - query_start >= make_interval(secs => $1) ORDER BY 4 DESC`,
    [seconds],
  );
  return rows;
}

export interface SlowLogChange {
  /** What to run. */
  readonly statement: string;
  /** The setting as sessions have it so far; -1 ms logs none. */
  readonly before: string;
}

/**
 * The statement that has queries of this database logged when they take so many milliseconds; undefined: as the server
 * does otherwise. A setting of the database, not of the server: it needs no file, and takes effect for sessions that
 * begin from then on.
 */
export async function planSlowLog(
  session: pg.Client,
  ms: number | undefined,
): Promise<SlowLogChange> {
  const { database, before } = takeOnlyRow(
    await session.query<{ database: string; before: string }>(
      `SELECT current_database() AS database, current_setting('log_min_duration_statement') AS before`,
    ),
  );
  const change =
    ms === undefined
      ? 'RESET log_min_duration_statement'
      : `SET log_min_duration_statement = ${Math.trunc(ms)}`;
  return { statement: `ALTER DATABASE ${pg.escapeIdentifier(database)} ${change}`, before };
}
