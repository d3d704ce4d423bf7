// VMs in use whose agents stay away: they are set `failed`, so that a person sees it.

import type pg from 'pg';
import { runWriteTransaction } from './transaction.js';

/**
 * One conditional statement, so that of many gateways one does it, once. An agent counts as away when
 *
 * - it was seen since its VM was assigned, and is online at no gateway now;
 * - it has been away for longer than the grace, of a time that counts only while some gateway was there to see it come
 *   back: from when the first of those that are there now was ready, to where all of them have written what they saw.
 *   So after an outage, of the gateways or of the database, everybody has the whole grace again.
 *
 * Whether it was seen is judged by when its gateway last gave a sign of life, and since when it is away by the end of
 * that gateway's lease: in doubt for the agent.
 */
const FAIL_ABSENT = `
  WITH watch AS (
    SELECT min(ready_since) AS since, min(complete_until) AS until
    FROM public.gateways WHERE lease_until > statement_timestamp()
  ), agents AS (
    SELECT p.hostname, bool_or(p.online AND g.lease_until > statement_timestamp()) AS online,
      max(CASE WHEN p.online THEN g.renewed_at ELSE p.since END) AS seen_at,
      max(CASE WHEN p.online THEN g.lease_until ELSE p.since END) AS away_since
    FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway
    GROUP BY p.hostname
  ), absent AS (
    SELECT v.id, v.assignment_id
    FROM public.vms v
    JOIN public.vm_deliveries d ON d.assignment_id = v.assignment_id
    JOIN agents a ON a.hostname = v.hostname, watch w
    WHERE v.status = 'in-use' AND NOT a.online AND a.seen_at > coalesce(d.made_at, d.acknowledged_at)
      AND w.until - greatest(a.away_since, w.since) > $1 * interval '1 millisecond'
    FOR UPDATE OF v SKIP LOCKED
  )
  UPDATE public.vms SET status = 'failed' FROM absent
  WHERE vms.id = absent.id AND vms.status = 'in-use' AND vms.assignment_id = absent.assignment_id
  RETURNING vms.hostname`;

/** How the audit names it, as others are named by role and `sub`. */
const NAME = 'gateway:agent-absent';

/**
 * Sets the VMs failed whose agents have been away for longer than the grace.
 * @param gateway the one that does it, for the audit
 * @returns their hostnames
 */
export async function failAbsent(
  pool: pg.Pool,
  gateway: string,
  graceMs: number,
): Promise<string[]> {
  const { rows } = await runWriteTransaction(pool, { name: NAME, requestId: gateway }, (client) =>
    client.query<{ hostname: string }>(FAIL_ABSENT, [graceMs]),
  );
  return rows.map(({ hostname }) => hostname);
}
