// Counts the VMs of the fleet by status.

import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import { runReadQuery } from './transaction.js';

/** The number of VMs of each status. */
export type StatusCounts = Readonly<Record<string, number>>;

/** The number of VMs in total, with a person, and by status. */
export interface FleetStats {
  readonly total: number;
  /** The number of VMs that have a person. */
  readonly assigned: number;
  readonly byStatus: StatusCounts;
}

interface StatusRow {
  readonly status: string;
  readonly count: string;
  readonly assigned: string;
}

/** A single statement, so that all numbers are of the same moment. */
const STATS = `
  SELECT status, count(*), count(email) AS assigned FROM public.vms GROUP BY status ORDER BY status`;

/** Reads the numbers of the fleet. */
export async function readFleetStats(pool: ConnectionSource): Promise<FleetStats> {
  const rows = await runReadQuery<StatusRow>(pool, STATS, []);
  const sum = (numbers: readonly string[]): number =>
    numbers.reduce((total, number) => total + Number(number), 0);
  return {
    total: sum(rows.map(({ count }) => count)),
    assigned: sum(rows.map(({ assigned }) => assigned)),
    byStatus: collectCounts(rows),
  };
}

/** Counts the VMs by status, in a transaction of the caller. */
export async function countByStatus(client: pg.ClientBase): Promise<StatusCounts> {
  return collectCounts((await client.query<StatusRow>(STATS)).rows);
}

/** `Object.fromEntries` also handles a status called `__proto__`. */
function collectCounts(rows: readonly StatusRow[]): StatusCounts {
  return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
}
