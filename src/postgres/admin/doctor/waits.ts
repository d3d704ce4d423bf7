// Checks for what holds up others: commits that wait for the lock of NOTIFY, listeners in long
// transactions, and replication slots that keep the server's log.

import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

/** Shorter waits and transactions are normal under load. */
const LONG_SECONDS = 300;
/** A slot in use that is behind by so much fills the disk sooner than it catches up. */
const SLOT_BYTES = 1_073_741_824;

/** Runs the three checks. @param longSeconds from when on a transaction is reported */
export async function checkWaits(
  { session }: Pick<CheckContext, 'session'>,
  longSeconds = LONG_SECONDS,
): Promise<Finding[]> {
  const { rows: waits } = await session.query<WaitRow>(NOTIFY_WAITS);
  const { rows: listeners } = await session.query<ListenerRow>(LISTENERS, [longSeconds]);
  const { rows: slots } = await session.query<SlotRow>(SLOTS, [SLOT_BYTES]);
  return [
    ...waits.filter(({ waiting }) => waiting > 0).map(createNotifyFinding),
    ...(listeners.length === 0 ? [] : [createListenerFinding(listeners)]),
    ...(slots.length === 0 ? [] : [createSlotFinding(slots)]),
  ];
}

/**
 * Whether this role sees the states and times of the sessions of other roles. Without that the
 * checks of sessions see their own role's only.
 */
export async function readSight(session: CheckContext['session']): Promise<string | undefined> {
  const { sees, role } = takeOnlyRow(
    await session.query<{ sees: boolean; role: string }>(
      `SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees, quote_ident(current_user) AS role`,
    ),
  );
  if (sees) return undefined;
  return `sessions of other roles show only that they are there; a superuser can allow more: GRANT pg_read_all_stats TO ${role}`;
}

interface WaitRow {
  readonly waiting: number;
  readonly holder: string | null;
}

/**
 * A commit that notifies takes a lock on database 0 of pg_database, whichever its own database is
 * (PostgreSQL, async.c). Every role sees locks.
 */
const NOTIFY_WAITS = `
  SELECT count(*) FILTER (WHERE NOT granted)::float8 AS waiting,
    (SELECT concat_ws(' ', a.pid, application_name, wait_event) FROM pg_catalog.pg_stat_activity a
     WHERE a.pid = max(l.pid) FILTER (WHERE granted)) AS holder
  FROM pg_catalog.pg_locks l
  WHERE locktype = 'object' AND classid = 'pg_catalog.pg_database'::regclass AND objid = 0`;

const createNotifyFinding = ({ waiting, holder }: WaitRow): Finding => ({
  id: 'notify_lock_waits',
  severity: 'error',
  explanation: `${waiting} commits wait for the lock that a notifying commit holds: ${holder ?? 'one that has ended'}. Commits of all databases of the server take turns here.`,
  remedy:
    'If the holder waits (SyncRep: for a standby of synchronous_standby_names), remove the cause, or end it: SELECT pg_terminate_backend(PID).',
});

interface ListenerRow {
  readonly pid: number;
  readonly application: string;
  readonly seconds: number;
}

/**
 * Sessions in a transaction, except backups, that listen as far as the server shows it, or that
 * hold a snapshot: they receive nothing, fill the queue, or keep dead rows from being removed.
 */
const LISTENERS = `
  SELECT pid, application_name AS application, extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds
  FROM pg_catalog.pg_stat_activity
  WHERE pid <> pg_backend_pid() AND application_name NOT LIKE 'lablink-gateway db %' AND clock_timestamp() - xact_start > make_interval(secs => $1)
    AND (application_name LIKE '% listen' OR query ~* '\\mLISTEN\\s' OR backend_xmin IS NOT NULL)
  ORDER BY xact_start LIMIT 5`;

const createListenerFinding = (rows: readonly ListenerRow[]): Finding => ({
  id: 'transaction_open',
  severity: 'warning',
  explanation: `Sessions are in a transaction for long: ${rows
    .map(({ pid, application, seconds }) => `${pid} (${application || '?'}, for ${seconds} s)`)
    .join(', ')}. A listener receives nothing meanwhile, and dead rows of every table stay.`,
  remedy:
    'End the transaction in its program, or the session: SELECT pg_terminate_backend(PID). idle_in_transaction_session_timeout does it by itself.',
});

interface SlotRow {
  readonly name: string;
  readonly active: boolean;
  readonly bytes: number | null;
}

const SLOTS = `
  SELECT slot_name AS name, active, pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
    restart_lsn)::float8 AS bytes
  FROM pg_catalog.pg_replication_slots
  WHERE restart_lsn IS NOT NULL AND (NOT active OR pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
    restart_lsn) > $1)
  ORDER BY 3 DESC NULLS LAST LIMIT 5`;

const createSlotFinding = (rows: readonly SlotRow[]): Finding => ({
  id: 'slot_retains_wal',
  severity: 'warning',
  explanation: `Replication slots keep the server's log until their clients have read it, up to a full disk: ${rows
    .map(
      ({ name, active, bytes }) =>
        `${name} (${active ? 'behind' : 'not in use'}, ${Math.round((bytes ?? 0) / 1_048_576)} MB)`,
    )
    .join(', ')}.`,
  remedy:
    'Start the standby or subscriber of the slot again, or drop the slot: SELECT pg_drop_replication_slot(NAME). max_slot_wal_keep_size limits it.',
});
