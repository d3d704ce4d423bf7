// Records how the commands of assignments ended, and lists the deliveries of a VM. Nothing here
// changes `vms`, so that a report about a previous assignment never affects the current one.

import type { ConnectionSource } from './connection-source.js';
import { readInPieces } from './read-in-pieces.js';
import { runWriteTransaction, type Actor } from './transaction.js';

/** The report of how a command ended. */
export interface EndReport {
  readonly outcome: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Formats a time as RFC 3339 in UTC, independently of the settings of the session. */
const formatUtc = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const DELIVERY = `
  json_build_object('assignment_id', d.assignment_id, 'hostname', d.hostname,
    'made_at', ${formatUtc('d.made_at')}, 'pushed_at', ${formatUtc('d.pushed_at')},
    'acked_at', ${formatUtc('d.acknowledged_at')}, 'ended_at', ${formatUtc('d.ended_at')},
    'outcome', d.outcome, 'exit_code', d.exit_code, 'signal', d.signal)::text AS delivery`;

/**
 * Matches the agent of the VM that has the assignment, under its present hostname: a rename ends
 * the rights of the earlier hostname. An assignment that no VM has any longer belongs to the
 * hostname that had it last.
 */
const OF_AGENT = `d.assignment_id = $1 AND $2 = coalesce(
  (SELECT v.hostname FROM public.vms v WHERE v.assignment_id = d.assignment_id LIMIT 1), d.hostname)`;

/**
 * Records how the agent's command ended. Only the first report counts.
 * @returns the delivery as JSON text; undefined if the agent never had this assignment
 */
export function recordEnd(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
  assignmentId: string,
  { outcome, exitCode, signal }: EndReport,
): Promise<string | undefined> {
  return runWriteTransaction(pool, actor, async (client) => {
    await client.query(
      `UPDATE public.vm_deliveries d
       SET ended_at = now(), outcome = $3, exit_code = $4, signal = $5
       WHERE ${OF_AGENT} AND d.ended_at IS NULL`,
      [assignmentId, hostname, outcome, exitCode, signal],
    );
    const { rows } = await client.query<{ delivery: string }>(
      `SELECT ${DELIVERY} FROM public.vm_deliveries d WHERE ${OF_AGENT}`,
      [assignmentId, hostname],
    );
    return rows[0]?.delivery;
  });
}

/**
 * Reads the latest deliveries of a VM, including that of its current assignment, the newest first.
 * @returns JSON texts
 */
export async function listDeliveries(
  pool: ConnectionSource,
  hostname: string,
  limit: number,
): Promise<string[]> {
  const sql = `SELECT ${DELIVERY} FROM public.vm_deliveries d
     WHERE d.hostname = $1 AND NOT EXISTS (
         SELECT FROM public.vms v WHERE v.assignment_id = d.assignment_id AND v.hostname <> $1)
       OR d.assignment_id = (SELECT v.assignment_id FROM public.vms v WHERE v.hostname = $1)
     ORDER BY d.made_at DESC NULLS LAST LIMIT $2`;
  const rows = await readInPieces<{ delivery: string }>(pool, {
    sql,
    values: [hostname, limit],
    maxRows: limit,
  });
  return rows.map(({ delivery }) => delivery);
}
