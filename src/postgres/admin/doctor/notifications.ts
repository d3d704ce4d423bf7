// Checks notifications: whether they arrive, fit into a payload, and leave the server's queue.

import { receivesNotifications } from '../listen-check.js';
import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

/** A payload has less than 8,000 bytes; from here a longer email or command can exceed that. */
const NEAR_BYTES = 7_000;
/** The share of the server's queue, common to all its databases, from which it is reported. */
const QUEUE_SHARE = 0.1;

/** Runs the three checks; LISTEN is not checked on a standby, which refuses it. */
export async function checkNotifications(context: CheckContext): Promise<Finding[]> {
  const { session } = context;
  const { standby } = takeOnlyRow(
    await session.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby'),
  );
  return [
    ...(standby ? [] : await checkListen(context)),
    ...(await checkPayloads(context)),
    ...(await checkQueue(context)),
  ];
}

async function checkListen({ connection, queries }: CheckContext): Promise<Finding[]> {
  if (await receivesNotifications(connection, queries)) return [];
  return [
    {
      id: 'listen_deaf',
      severity: 'error',
      explanation:
        'LISTEN succeeds but receives nothing from other sessions: a pooler in transaction mode is in between, or the two addresses are different servers.',
      remedy: 'Set LISTEN_DATABASE_URL to the server itself (its port, not the pooler’s).',
    },
  ];
}

const PAYLOADS = `
  SELECT count(*) FILTER (WHERE bytes >= ${NEAR_BYTES})::float8 AS near, max(bytes)::float8 AS largest
  FROM (SELECT octet_length(row_text) AS bytes FROM public.read_vms(NULL)) AS rows
  WHERE to_regclass('public.vms') IS NOT NULL`;

async function checkPayloads({ session }: CheckContext): Promise<Finding[]> {
  const found = await session.query<{ there: boolean }>(
    `SELECT to_regprocedure('public.read_vms(text[])') IS NOT NULL AS there`,
  );
  if (!takeOnlyRow(found).there) return [];
  const { near, largest } = takeOnlyRow(
    await session.query<{ near: number; largest: number | null }>(PAYLOADS),
  );
  if (near === 0) return [];
  return [
    {
      id: 'payload_size',
      severity: 'warning',
      explanation: `${near} rows are near 8,000 bytes as JSON, or beyond (the largest: ${largest ?? 0}). Beyond, the trigger only notifies that the row changed, and the gateway reads it with one query per change; a plain row_to_json trigger would fail the change.`,
      remedy: 'Keep logs and other large texts in a table of their own, not in columns of vms.',
    },
  ];
}

const QUEUE = 'SELECT pg_notification_queue_usage()::float8 AS usage';

/**
 * A session in a transaction receives no notifications; nor does one whose client does not read.
 */
const HOLDERS = `
  SELECT pid, application_name AS application, datname AS database,
    extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds
  FROM pg_catalog.pg_stat_activity
  WHERE pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'
    AND datid IS NOT NULL
    AND (xact_start IS NOT NULL OR wait_event = 'ClientWrite')
  ORDER BY xact_start NULLS LAST LIMIT 3`;

interface HolderRow {
  readonly pid: number;
  readonly application: string;
  readonly database: string;
  readonly seconds: number | null;
}

async function checkQueue({ session }: CheckContext): Promise<Finding[]> {
  const { usage } = takeOnlyRow(await session.query<{ usage: number }>(QUEUE));
  if (usage < QUEUE_SHARE) return [];
  const { rows } = await session.query<HolderRow>(HOLDERS);
  const holders = rows.map(
    ({ pid, application, database, seconds }) =>
      `${pid} (${application || '?'} in ${database}, for ${seconds ?? '?'} s)`,
  );
  return [
    {
      id: 'queue_filling',
      severity: 'error',
      explanation: `The server's queue of notifications is ${Math.round(usage * 100)} % full; at 100 % every commit that notifies fails. A listening session does not read: most likely ${holders.join(', ') || 'one that has ended'}.`,
      remedy:
        'End it: SELECT pg_terminate_backend(PID). Programs that LISTEN must not keep a transaction open.',
    },
  ];
}
