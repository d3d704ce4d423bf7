// The server's queue of notifications, which all its databases share: what holds it up, and what a commit says that
// found it full.

import pg from 'pg';

/** A session that may hold the queue up. What the gateway's role may not see of it is null. */
export interface Suspect {
  readonly pid: number;
  readonly application: string;
  readonly user: string | null;
  readonly database: string | null;
  readonly state: string | null;
  /** When its transaction began; where it reads nothing, since when. */
  readonly since: Date | null;
}

/**
 * Nothing is dropped from the queue before every session that listens, in whatever database, has taken it. None does
 * within a transaction, nor while its client reads nothing (PostgreSQL, "NOTIFY"). Which of them listen, the server
 * tells nobody. Locks, and so transactions, are seen by every role; states and times of other roles' sessions, and who
 * reads nothing, only by a member of pg_read_all_stats, as pg_monitor is.
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

/** Sessions in a transaction, and those that read nothing, the longest so first. */
export async function readSuspects(pool: pg.Pool): Promise<Suspect[]> {
  return (await pool.query<Suspect>(SUSPECTS)).rows;
}

/**
 * How full the queue is, from 0 to 1. To ask also has the server drop what all listeners have taken (`asyncQueueAdvanceTail`
 * in its async.c). Apart from this only a commit that notifies does so, and none can while the queue is full: it stayed
 * full after the session that had held it up was gone, until somebody asked.
 */
export async function readQueueUsage(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ usage: number }>(
    'SELECT pg_catalog.pg_notification_queue_usage() AS usage',
  );
  return rows[0]?.usage ?? 0;
}

/** Whether a commit failed because the queue is full. Told by its function: messages may be translated. */
export function isQueueFull(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.routine === 'PreCommit_Notify';
}
