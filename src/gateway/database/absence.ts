// Sets VMs in use to `failed` if their agents are offline for too long, so that a person notices
// it.

import type pg from 'pg';
import { isElementError, processInHalves } from '../../postgres/isolate.js';
import { runWriteTransaction } from './transaction.js';

/**
 * A single conditional statement, so that only one of several gateways changes a VM. An agent
 * counts as absent if
 *
 * - it was online since its VM was assigned, and is not online at any gateway now;
 * - it has been offline for longer than the grace period. Only the time counts during which a
 *   gateway could have seen it return. That time begins when the first live gateway was ready, and
 *   ends at the lowest watermark of all live gateways. After an outage of the gateways or of the
 *   database, every agent has the full grace period again.
 *
 * If the gateway of an agent has died, the agent counts as online until the gateway's last renewal,
 * and as offline from the end of its lease. Both are in favour of the agent.
 */
const ABSENT = `
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
      AND ($2::int8[] IS NULL OR v.id = ANY ($2::int8[]))
    FOR UPDATE OF v SKIP LOCKED
  )`;

const FAIL_ABSENT = `${ABSENT}
  UPDATE public.vms SET status = 'failed' FROM absent
  WHERE vms.id = absent.id AND vms.status = 'in-use' AND vms.assignment_id = absent.assignment_id
  RETURNING vms.hostname`;

/** The actor in the audit. Other actors are named by role and `sub`. */
const NAME = 'gateway:agent-absent';

/**
 * Sets the VMs to `failed` whose agents have been offline for longer than the grace period. A VM
 * that the database does not let be set, such as by a constraint, does not stop the others.
 * @param gateway the name of this gateway, for the audit
 * @param rejected called with the id of each VM that cannot be set
 * @returns the hostnames of these VMs
 */
export async function failAbsent(
  pool: pg.Pool,
  gateway: string,
  graceMs: number,
  rejected: (id: string, error: unknown) => void,
): Promise<string[]> {
  const actor = { name: NAME, requestId: gateway };
  const fail = async (ids: readonly string[] | null): Promise<string[]> => {
    const { rows } = await runWriteTransaction(pool, actor, (client) =>
      client.query<{ hostname: string }>(FAIL_ABSENT, [graceMs, ids]),
    );
    return rows.map(({ hostname }) => hostname);
  };
  try {
    return await fail(null);
  } catch (error) {
    if (!isElementError(error)) throw error;
  }
  const { rows } = await runWriteTransaction(pool, actor, (client) =>
    client.query<{ id: string }>(`${ABSENT} SELECT id FROM absent`, [graceMs, null]),
  );
  return (
    await processInHalves(
      rows.map(({ id }) => id),
      fail,
      rejected,
    )
  ).flat();
}
