// Removes all VMs, if the caller knows how many there are.

import type pg from 'pg';
import { inTransaction, takeOnlyRow, setActor } from './session.js';

/**
 * Truncates the table if it has exactly `expected` rows, under a lock that no writer passes.
 *
 * @param expected undefined only counts.
 * @returns how many VMs there are, or were.
 */
export function removeAllVms(session: pg.Client, expected: number | undefined): Promise<number> {
  return inTransaction(session, 'BEGIN ISOLATION LEVEL READ COMMITTED', async () => {
    await setActor(session, 'clear');
    if (expected !== undefined) {
      await session.query('LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE');
    }
    const { count } = takeOnlyRow(
      await session.query<{ count: number }>('SELECT count(*)::float8 AS count FROM public.vms'),
    );
    if (count === expected) await session.query('TRUNCATE TABLE public.vms');
    return count;
  });
}
