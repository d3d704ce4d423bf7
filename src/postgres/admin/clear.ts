// Removes all VMs, if the caller knows how many there are. Rows of other tables always stay.

import type pg from 'pg';
import { refuseOtherTables } from './other-tables.js';
import { inTransaction, limitIdleTime, takeOnlyRow, setActor } from './session.js';

export interface ClearOptions {
  /** How many VMs the caller expects; undefined expects any number in a dry run, and none else. */
  readonly expected: number | undefined;
  /** Do everything, then roll it back. */
  readonly dryRun: boolean;
}

/**
 * Truncates the table if it has exactly `expected` rows, under a lock that no writer passes. Tables
 * that inherit from vms are not touched.
 *
 * @returns how many VMs there are, or were.
 * @throws MaintenanceError `refused` if rows of other tables would change.
 */
export function removeAllVms(
  session: pg.Client,
  { expected, dryRun }: ClearOptions,
): Promise<number> {
  return inTransaction(
    session,
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    async () => {
      await setActor(session, 'clear');
      const vms = await readTableName(session);
      if (dryRun || expected !== undefined) {
        await limitIdleTime(session);
        await session.query(`LOCK TABLE ${vms} IN ACCESS EXCLUSIVE MODE`);
      }
      const { count } = takeOnlyRow(
        await session.query<{ count: number }>(`SELECT count(*)::float8 AS count FROM ${vms}`),
      );
      if (count === expected || (dryRun && expected === undefined)) {
        await session.query(`TRUNCATE TABLE ${vms}`);
        await refuseOtherTables(session);
      }
      return count;
    },
    dryRun ? 'ROLLBACK' : 'COMMIT',
  );
}

/** Partitions are parts of vms; tables that inherit from an ordinary vms belong to others. */
async function readTableName(session: pg.Client): Promise<string> {
  const { rows } = await session.query<{ partitioned: boolean }>(
    `SELECT relkind = 'p' AS partitioned FROM pg_catalog.pg_class WHERE oid = to_regclass('public.vms')`,
  );
  return rows[0]?.partitioned === true ? 'public.vms' : 'ONLY public.vms';
}
