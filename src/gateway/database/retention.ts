// Retention: old rows of the audit, of deliveries and of presence are removed in small steps, by
// one gateway at a time.

import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import { runWriteTransaction } from './transaction.js';

/** The tables whose rows are removed. */
export type PrunedTable = 'vm_events' | 'vm_deliveries' | 'vm_presence';

/** The result of one step. */
export interface RetentionStep {
  /** The number of removed rows by table; empty if another gateway is at work. */
  readonly removed: Readonly<Partial<Record<PrunedTable, number>>>;
  /** Whether this role may remove events; the audit can be out of the reach of gateways. */
  readonly mayPruneEvents: boolean;
  /** The size of the audit with its indexes. */
  readonly auditBytes: number;
}

/** How many rows one step removes from a table at most: some 10 ms of work. */
export const STEP_ROWS = 1_000;

/** How long deliveries and presence are kept that are no longer current. */
const KEPT_DAYS = 90;

/** The keys of the advisory lock: "labl" and "keep" in ASCII. */
const LOCK = [0x6c61626c, 0x6b656570];

const STATE = `
  SELECT pg_try_advisory_xact_lock($1, $2) AS locked,
    has_function_privilege('public.prune_vm_events(interval, integer)', 'EXECUTE')
      AND has_table_privilege('public.vm_events', 'SELECT, DELETE') AS may,
    pg_total_relation_size('public.vm_events')::float8 AS bytes`;

interface StateRow {
  readonly locked: boolean;
  readonly may: boolean;
  readonly bytes: number;
}

/**
 * Removes at most 1,000 old rows of each table, unless another gateway does so now.
 *
 * @param auditDays how long events are kept; 0 keeps them for ever.
 */
export function pruneOldRows(pool: ConnectionSource, auditDays: number): Promise<RetentionStep> {
  return runWriteTransaction(pool, { name: 'gateway:retention', requestId: '' }, async (client) => {
    const { rows } = await client.query<StateRow>(STATE, LOCK);
    const state = rows[0] ?? { locked: false, may: false, bytes: 0 };
    const { may, locked, bytes } = state;
    const step = { mayPruneEvents: may, auditBytes: bytes };
    if (!locked) return { ...step, removed: {} };
    const prune = (table: PrunedTable, days: number) => pruneTable(client, table, days);
    return {
      ...step,
      removed: {
        ...(may && auditDays > 0 ? { vm_events: await prune('vm_events', auditDays) } : {}),
        vm_deliveries: await prune('vm_deliveries', KEPT_DAYS),
        vm_presence: await prune('vm_presence', KEPT_DAYS),
      },
    };
  });
}

async function pruneTable(client: pg.ClientBase, table: PrunedTable, days: number) {
  const { rows } = await client.query<{ removed: number }>(
    `SELECT public.prune_${table}(make_interval(days => $1), $2) AS removed`,
    [days, STEP_ROWS],
  );
  return rows[0]?.removed ?? 0;
}
