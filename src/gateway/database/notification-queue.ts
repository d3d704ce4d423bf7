// Reads the state of the server's notification queue, which all its databases share: how full it
// is, and which sessions may block it.

import pg from 'pg';
import { runReadQuery, runStatement } from './transaction.js';

/** A session that may block the queue. Values that the gateway's role may not see are null. */
export interface Suspect {
  readonly pid: number;
  readonly application: string;
  readonly user: string | null;
  readonly database: string | null;
  readonly state: string | null;
  /** The start of its transaction or, if its client does not read, since when. */
  readonly since: Date | null;
}

/**
 * PostgreSQL removes a notification from the queue only after every listening session of every
 * database has read it. A session does not read within a transaction, or while its client does not
 * read (PostgreSQL, "NOTIFY"). The server does not show which sessions listen. Every role sees
 * locks, and therefore transactions. Only members of pg_read_all_stats, such as pg_monitor, see the
 * states and times of other roles' sessions, and which clients do not read.
 */
const SUSPECTS = `
  SELECT pid, application_name AS application, usename AS user, datname AS database, state,
    coalesce(xact_start, state_change) AS since
  FROM pg_catalog.pg_stat_activity
  WHERE pid <> pg_catalog.pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'
    AND (wait_event = 'ClientWrite' OR pid IN (
      SELECT pid FROM pg_catalog.pg_locks
      WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND granted
    ))
  ORDER BY since NULLS LAST LIMIT 5`;

/**
 * Reads up to five sessions that are in a transaction or whose clients do not read, the longest
 * first.
 */
export async function readSuspects(pool: pg.Pool): Promise<Suspect[]> {
  return runReadQuery<Suspect>(pool, SUSPECTS, []);
}

/**
 * Reads the used share of the queue, from 0 to 1. This query also makes the server remove what all
 * listeners have read (`asyncQueueAdvanceTail`). Otherwise only a notifying commit does so, and
 * that fails while the queue is full. Without the query, a queue stayed full after the blocking
 * session had ended.
 */
export async function readQueueUsage(pool: pg.Pool): Promise<number> {
  const rows = await runStatement<{ usage: number }>(
    pool,
    'SELECT pg_catalog.pg_notification_queue_usage() AS usage',
  );
  return rows[0]?.usage ?? 0;
}

/**
 * Whether a commit failed because the queue is full. Compares the name of PostgreSQL's function,
 * because messages may be translated.
 */
export function isQueueFull(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.routine === 'PreCommit_Notify';
}
