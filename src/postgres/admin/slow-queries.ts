// Slow queries: listing the running ones, and having the server log them.

import pg from 'pg';
import { takeOnlyRow } from './session.js';

export interface SlowQuery {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string;
  readonly seconds: number;
  /** The wait event; empty if the query computes. */
  readonly waits: string | null;
  readonly query: string;
}

/** Lists the queries that have been running for `seconds` or more, the longest first. */
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

/** A change of the setting log_min_duration_statement. */
export interface SlowLogChange {
  /** The statement to run. */
  readonly statement: string;
  /** The current setting; -1 logs no query. */
  readonly before: string;
}

/**
 * Builds the statement that makes the server log this database's queries of `ms` milliseconds or
 * more; undefined for `ms` returns to the server's setting. A setting of the database needs no
 * file, and takes effect for new sessions.
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
