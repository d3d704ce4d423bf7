// The fleet in numbers.

import type pg from 'pg';

/** How many VMs there are of each status. */
export type Counts = Readonly<Record<string, number>>;

export interface FleetStats {
  readonly total: number;
  /** How many have a person. */
  readonly assigned: number;
  readonly byStatus: Counts;
}

interface StatusRow {
  readonly status: string;
  readonly count: string;
  readonly assigned: string;
}

/** One statement, so that the numbers belong together. */
export async function fleetStats(client: pg.Pool | pg.ClientBase): Promise<FleetStats> {
  const { rows } = await client.query<StatusRow>(
    'SELECT status, count(*), count(email) AS assigned FROM public.vms GROUP BY status ORDER BY status',
  );
  const sum = (numbers: readonly string[]): number =>
    numbers.reduce((total, number) => total + Number(number), 0);
  return {
    total: sum(rows.map(({ count }) => count)),
    assigned: sum(rows.map(({ assigned }) => assigned)),
    // A status may be called anything, `__proto__` too.
    byStatus: Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)])),
  };
}
