// The fleet in numbers.

import type pg from 'pg';
import { runReadQuery } from './transaction.js';

/** How many VMs there are of each status. */
export type StatusCounts = Readonly<Record<string, number>>;

export interface FleetStats {
  readonly total: number;
  /** How many have a person. */
  readonly assigned: number;
  readonly byStatus: StatusCounts;
}

interface StatusRow {
  readonly status: string;
  readonly count: string;
  readonly assigned: string;
}

/** One statement, so that the numbers belong together. */
const STATS = `
  SELECT status, count(*), count(email) AS assigned FROM public.vms GROUP BY status ORDER BY status`;

export async function readFleetStats(pool: pg.Pool): Promise<FleetStats> {
  const rows = await runReadQuery<StatusRow>(pool, STATS, []);
  const sum = (numbers: readonly string[]): number =>
    numbers.reduce((total, number) => total + Number(number), 0);
  return {
    total: sum(rows.map(({ count }) => count)),
    assigned: sum(rows.map(({ assigned }) => assigned)),
    byStatus: collectCounts(rows),
  };
}

/** The same, in a transaction. */
export async function countByStatus(client: pg.ClientBase): Promise<StatusCounts> {
  return collectCounts((await client.query<StatusRow>(STATS)).rows);
}

/** A status may be called anything, `__proto__` too. */
function collectCounts(rows: readonly StatusRow[]): StatusCounts {
  return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
}
