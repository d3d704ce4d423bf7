// Removes old rows of the audit, of deliveries and of presence, in small steps. Gateways whose role
// may do so remove them by themselves; where the audit is out of their reach, the owner runs this.

import type pg from 'pg';
import { takeOnlyRow } from './session.js';

/** The tables, in the order of their work. */
const TABLES = ['vm_events', 'vm_deliveries', 'vm_presence'] as const;
type Table = (typeof TABLES)[number];

/** The number of removed rows by table. */
export type PruneReport = Readonly<Record<Table, number>>;

/** Each step is a transaction of its own, and takes some 10 ms. */
const STEP_ROWS = 1_000;

/** Removes what is older than `days`, except what is current. */
export async function pruneAll(session: pg.Client, days: number): Promise<PruneReport> {
  const removed = { vm_events: 0, vm_deliveries: 0, vm_presence: 0 };
  for (const table of TABLES) {
    for (;;) {
      const { rows } = takeOnlyRow(
        await session.query<{ rows: number }>(
          `SELECT public.prune_${table}(make_interval(days => $1), $2) AS rows`,
          [days, STEP_ROWS],
        ),
      );
      removed[table] += rows;
      if (rows < STEP_ROWS) break;
    }
  }
  return removed;
}

/** Counts the events that are older than `days`. */
export async function countOldEvents(session: pg.Client, days: number): Promise<number> {
  const { count } = takeOnlyRow(
    await session.query<{ count: number }>(
      `SELECT count(*)::float8 AS count FROM public.vm_events
       WHERE at < now() - make_interval(days => $1)`,
      [days],
    ),
  );
  return count;
}
