// Records the reports of agents: the status of their own VM, and the assignments that they have
// received.

import type { ConnectionSource } from './connection-source.js';
import { runWriteTransaction, type Actor } from './transaction.js';

/** The result of a report. `stale`: the assignment is no longer the current one of the VM. */
export type ReportOutcome = 'done' | 'stale' | 'not-failed' | 'no-vm';

interface Report {
  readonly hostname: string;
  readonly status: 'failed' | 'available';
  readonly assignmentId: string | undefined;
}

/** The row is locked before it is checked, so that the check is about the row that is changed. */
const REPORT = `
  WITH locked AS (
    SELECT id, tableoid, status, assignment_id IS DISTINCT FROM coalesce($3::uuid, assignment_id) AS stale
    FROM public.vms WHERE hostname = $1 FOR UPDATE
  ), changed AS (
    UPDATE public.vms SET status = $2::text,
      email = CASE WHEN $2::text = 'available' THEN NULL ELSE email END,
      crd_command = CASE WHEN $2::text = 'available' THEN NULL ELSE crd_command END
    FROM locked
    WHERE vms.id = locked.id AND vms.tableoid = locked.tableoid AND NOT locked.stale
      AND ($2::text = 'failed' OR locked.status IN ('failed', 'available'))
  )
  SELECT stale, status FROM locked`;

/**
 * Sets the status of the agent's own VM: `failed` at any time, and `available`, which releases the
 * person, only after `failed`. Repeating a report changes nothing.
 */
export async function reportStatus(
  pool: ConnectionSource,
  actor: Actor,
  report: Report,
): Promise<ReportOutcome> {
  const { hostname, status, assignmentId } = report;
  const { rows } = await runWriteTransaction(pool, actor, (client) =>
    client.query<{ stale: boolean; status: string }>(REPORT, [
      hostname,
      status,
      assignmentId ?? null,
    ]),
  );
  const [locked] = rows;
  if (locked === undefined) return 'no-vm';
  if (locked.stale) return 'stale';
  const allowed =
    status === 'failed' || locked.status === 'failed' || locked.status === 'available';
  return allowed ? 'done' : 'not-failed';
}

/** The result of an acknowledgement. */
export interface Acknowledged {
  /**
   * The time from the assignment to the acknowledgement; undefined if it was acknowledged before,
   * or the time of the assignment is unknown.
   */
  readonly tookSeconds: number | undefined;
}

/** An agent's acknowledgement of an assignment. */
export interface Acknowledgement {
  readonly hostname: string;
  readonly assignmentId: string;
  /** The age of the push in ms, if it is not written yet: it is written in the same statement. */
  readonly pushedAgoMs: number | undefined;
}

/**
 * Records that the agent has received its assignment. Repeating it changes nothing, except that the
 * delivery of a VM that was renamed then carries the VM's new hostname.
 * @returns undefined if the assignment is not the current one of the agent
 */
export async function acknowledge(
  pool: ConnectionSource,
  actor: Actor,
  { hostname, assignmentId, pushedAgoMs }: Acknowledgement,
): Promise<Acknowledged | undefined> {
  const { rows } = await runWriteTransaction(pool, actor, (client) =>
    client.query<{ took: number | null }>(
      `WITH current AS (
       SELECT assignment_id, hostname FROM public.vms WHERE hostname = $1 AND assignment_id = $2
     ), recorded AS (
       INSERT INTO public.vm_deliveries AS d (assignment_id, hostname, acknowledged_at, pushed_at)
       SELECT assignment_id, hostname, statement_timestamp(),
         statement_timestamp() - $3::float8 * interval '1 millisecond'
       FROM current
       ON CONFLICT (assignment_id) DO UPDATE SET hostname = excluded.hostname,
         acknowledged_at = coalesce(d.acknowledged_at, excluded.acknowledged_at),
         pushed_at = coalesce(d.pushed_at, excluded.pushed_at)
       WHERE d.acknowledged_at IS NULL OR d.hostname <> excluded.hostname
       RETURNING CASE acknowledged_at WHEN statement_timestamp()
         THEN extract(epoch FROM acknowledged_at - made_at)::float8 END AS took
     )
     SELECT (SELECT took FROM recorded) AS took FROM current`,
      [hostname, assignmentId, pushedAgoMs],
    ),
  );
  const [row] = rows;
  return row && { tookSeconds: row.took ?? undefined };
}
