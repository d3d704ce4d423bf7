// What became of assignments: how their commands ended, as agents report it, and all of it for whoever asks. Nothing
// here touches `vms`: what is said of the last person's assignment leaves the present one unharmed.

import type pg from 'pg';
import { runWriteTransaction, runReadQuery, type Actor } from './transaction.js';

/** How a command ended. */
export interface EndReport {
  readonly outcome: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** A time as RFC 3339 in UTC, whatever the session's settings. */
const formatUtc = (time: string): string =>
  `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const DELIVERY = `
  json_build_object('assignment_id', d.assignment_id, 'hostname', d.hostname,
    'made_at', ${formatUtc('d.made_at')}, 'pushed_at', ${formatUtc('d.pushed_at')},
    'acked_at', ${formatUtc('d.acknowledged_at')}, 'ended_at', ${formatUtc('d.ended_at')},
    'outcome', d.outcome, 'exit_code', d.exit_code, 'signal', d.signal)::text AS delivery`;

/** Of the agent that has the assignment, or had it; under its earlier name, too, when its VM was renamed. */
const OF_AGENT = `d.assignment_id = $1 AND (d.hostname = $2 OR EXISTS (
  SELECT FROM public.vms v WHERE v.assignment_id = d.assignment_id AND v.hostname = $2))`;

/**
 * Records how the agent's command ended; the first report stands. Gives the delivery as JSON text, or undefined when
 * the assignment never was this agent's.
 */
export function recordEnd(
  pool: pg.Pool,
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

/** The latest deliveries to this VM, the newest first, each as JSON text; with that of the assignment it has now. */
export async function listDeliveries(
  pool: pg.Pool,
  hostname: string,
  limit: number,
): Promise<string[]> {
  const rows = await runReadQuery<{ delivery: string }>(
    pool,
    `SELECT ${DELIVERY} FROM public.vm_deliveries d
     WHERE d.hostname = $1
       OR d.assignment_id = (SELECT v.assignment_id FROM public.vms v WHERE v.hostname = $1)
     ORDER BY d.made_at DESC NULLS LAST LIMIT $2`,
    [hostname, limit],
  );
  return rows.map(({ delivery }) => delivery);
}
