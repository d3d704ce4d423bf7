// The queries of the feed: rows, the cheap check of the table, and the heartbeat's notification.

import pg from 'pg';
import { isElementError, processInHalves } from '../../postgres/isolate.js';
import { queryWithIdleTimeout, type IdleTimeoutOptions } from './idle-timeout-query.js';
import { SERVER_IDENTITY } from './server-identity.js';
import { runReadQuery, runStatement } from './transaction.js';

/** Rows to read: all of them, or those of these hostnames. */
type ReadRequest =
  { readonly kind: 'all' } | { readonly kind: 'rows'; readonly hostnames: readonly string[] };

interface ReadRow {
  hostname: string;
  version: string;
  status: string;
  row_text: string;
}

/** A row that cannot be read: a value is not a text in the client's encoding. */
export interface UnreadableRow {
  readonly id: string;
  /** Undefined if the hostname is the value. */
  readonly hostname: string | undefined;
}

/**
 * Reads rows and then the last value of the version sequence. No version that existed when the rows
 * were read is higher. Sequences are outside of transactions, so this order is essential
 * (PostgreSQL, "Sequence Manipulation Functions"). A row that cannot be read does not hide the
 * others.
 * @param adopted assignments that agents must not run; their rows are returned without the id, and
 *   no agent runs an assignment that has none.
 */
export async function readRows(
  pool: pg.Pool,
  request: ReadRequest,
  options: IdleTimeoutOptions = {},
  adopted: ReadonlySet<string> = new Set(),
) {
  const unreadable: UnreadableRow[] = [];
  const read = await readReadableRows(pool, request, options, unreadable);
  const [sequence] = await runStatement<{ last_value: string }>(
    pool,
    'SELECT last_value FROM public.vms_version_seq',
  );
  return {
    rows: read.map(({ hostname, version, status, row_text }) => {
      const row = { hostname, version: Number(version), status, row: row_text };
      const assignmentId = parseAssignmentId(row_text);
      return assignmentId !== null && adopted.has(assignmentId)
        ? { ...row, assignmentId: null, row: removeAssignmentId(row_text, assignmentId) }
        : { ...row, assignmentId };
    }),
    sequence: Number(sequence?.last_value ?? 0),
    unreadable,
  };
}

const readTogether = (pool: pg.Pool, hostnames: unknown, options: IdleTimeoutOptions) =>
  queryWithIdleTimeout<ReadRow>(pool, 'SELECT * FROM public.read_vms($1)', [hostnames], options);

async function readReadableRows(
  pool: pg.Pool,
  request: ReadRequest,
  options: IdleTimeoutOptions,
  unreadable: UnreadableRow[],
): Promise<ReadRow[]> {
  try {
    return await readTogether(pool, request.kind === 'all' ? null : request.hostnames, options);
  } catch (error) {
    // A function that raises fails for every row: the table cannot be read.
    if (!isElementError(error) || isRaised(error)) throw error;
  }
  return request.kind === 'rows'
    ? readHostnames(pool, request.hostnames, options, unreadable)
    : readByIds(pool, options, unreadable);
}

/** PL/pgSQL's own class, of RAISE and ASSERT (PostgreSQL, "PostgreSQL Error Codes"). */
const isRaised = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && error.code?.startsWith('P0') === true;

async function readHostnames(
  pool: pg.Pool,
  hostnames: readonly string[],
  options: IdleTimeoutOptions,
  unreadable: UnreadableRow[],
): Promise<ReadRow[]> {
  const read = await processInHalves(
    hostnames,
    (some) => readTogether(pool, some, options),
    (hostname) => unreadable.push({ id: '', hostname }),
  );
  return read.flat();
}

/** The same text of a row as `read_vms` returns. A new row of this id sends a notification. */
const BY_IDS = `
  SELECT hostname::text, coalesce(version, 0) AS version, status::text, public.vm_text(vms) AS row_text
  FROM public.vms WHERE id = ANY ($1::int8[])`;

async function readByIds(
  pool: pg.Pool,
  options: IdleTimeoutOptions,
  unreadable: UnreadableRow[],
): Promise<ReadRow[]> {
  const rows = await runReadQuery<{ id: string }>(pool, 'SELECT id FROM public.vms', []);
  const bad: string[] = [];
  const read = await processInHalves(
    rows.map(({ id }) => id),
    (ids) => queryWithIdleTimeout<ReadRow>(pool, BY_IDS, [ids], options),
    (id) => bad.push(id),
  );
  for (const id of bad) unreadable.push({ id, hostname: await readHostname(pool, id) });
  return read.flat();
}

async function readHostname(pool: pg.Pool, id: string): Promise<string | undefined> {
  const sql = 'SELECT hostname FROM public.vms WHERE id = $1';
  try {
    const [row] = await runReadQuery<{ hostname: string }>(pool, sql, [id]);
    return row?.hostname;
  } catch (error) {
    if (isElementError(error)) return undefined;
    throw error;
  }
}

/**
 * Parses the id here, because PostgreSQL's `->>` fails for a row with `\u0000` in a JSON column,
 * and would fail the whole read.
 */
function parseAssignmentId(rowText: string): string | null {
  const { assignment_id: id } = JSON.parse(rowText) as { assignment_id?: unknown };
  return typeof id === 'string' ? id : null;
}

/** A quote inside a JSON string is escaped, so this text can only be the member of the row. */
function removeAssignmentId(rowText: string, assignmentId: string): string {
  return rowText.replace(`"assignment_id":"${assignmentId}"`, '"assignment_id":null');
}

/**
 * Reads the assignments that stood in the table before the gateway was first installed. Their
 * commands have run. A schema without this record has none.
 */
export async function readAdoptedAssignments(pool: pg.Pool): Promise<ReadonlySet<string>> {
  try {
    const rows = await runReadQuery<{ assignment_id: string }>(
      pool,
      `SELECT v.assignment_id FROM public.vms v JOIN public.vm_deliveries d USING (assignment_id)
       WHERE d.adopted_at IS NOT NULL`,
      [],
    );
    return new Set(rows.map((row) => row.assignment_id));
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === UNDEFINED_COLUMN) return new Set();
    throw error;
  }
}

const UNDEFINED_COLUMN = '42703';

interface CheckRow {
  count: string;
  max_version: string;
  sum_of_versions: string;
  triggers: string | null;
  in_force: string;
  queue_usage: number;
  read_only: boolean;
  missing_columns: string | null;
  is_table: boolean;
}

/**
 * Reads the number of rows, their versions and the triggers, and how full the server's notification
 * queue is. `xmin` changes whenever a trigger or its function changes.
 */
const CHECK = `
  SELECT *, pg_catalog.pg_notification_queue_usage() AS queue_usage,
    pg_catalog.current_setting('transaction_read_only')::boolean AS read_only,
    (SELECT string_agg(name, ', ') FROM unnest('{hostname,status,email,crd_command,assignment_id}'::text[]) AS name
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute
        WHERE attrelid = 'public.vms'::regclass AND attname = name AND NOT attisdropped)
    ) AS missing_columns,
    (SELECT relkind IN ('r', 'p') FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass) AS is_table
  FROM (
    SELECT count(*), coalesce(max(version), 0) AS max_version,
      coalesce(sum(version), 0) AS sum_of_versions
    FROM public.vms
  ) AS vms, (
    SELECT string_agg(concat_ws(' ', tgname, tgenabled, t.xmin, p.xmin), ', ' ORDER BY tgname) AS triggers,
      count(*) FILTER (WHERE prosecdef AND tgenabled = ANY (CASE
        WHEN tgname IN ('vm_stamp_trigger', 'vm_truncate_trigger', 'vm_audit_truncate_trigger') THEN '{A}'
        WHEN tgname IN ('vm_insert_set_trigger', 'vm_update_set_trigger', 'vm_delete_set_trigger') THEN '{O}'
        WHEN tgname IN ('vm_update_trigger', 'vm_delete_trigger', 'vm_audit_trigger') THEN '{R,A}'
      END::"char"[])) AS in_force
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = tgfoid
    WHERE tgrelid = 'public.vms'::regclass AND NOT tgisinternal
  ) AS triggers`;

/**
 * The number of triggers in force: three ALWAYS, three statement triggers for local changes, and
 * three row triggers for replicated rows.
 */
const TRIGGERS = 9;

/** Reads the numbers that reveal a missed change of rows or triggers. */
export async function checkTable(pool: pg.Pool) {
  const [row] = await runStatement<CheckRow>(pool, CHECK);
  if (row === undefined) throw new Error('the check of vms gave no row');
  return {
    count: Number(row.count),
    maxVersion: Number(row.max_version),
    sumOfVersions: BigInt(row.sum_of_versions),
    triggers: row.triggers ?? '',
    triggersInForce: Number(row.in_force) === TRIGGERS,
    /** The used share of the notification queue, from 0 to 1. */
    queueUsage: row.queue_usage,
    /** Whether this role's transactions may not write. */
    readOnly: row.read_only,
    /** Columns that a change needs, separated by commas; null if none is missing. */
    missingColumns: row.missing_columns,
    /** False for a view. */
    isTable: row.is_table,
  };
}

/**
 * Sends a heartbeat through the query pool: a notification of this text, a space, and the identity
 * of the server that sends it.
 */
export async function sendHeartbeat(pool: pg.Pool, channel: string, beat: string): Promise<void> {
  await runStatement(pool, `SELECT pg_notify($1, concat_ws(' ', $2::text, ${SERVER_IDENTITY}))`, [
    channel,
    beat,
  ]);
}

/** Verifies that a new connection of the pool would lead to the server of LISTEN. */
export async function probeServer(pool: pg.Pool): Promise<void> {
  await runStatement(pool, 'SELECT');
}
