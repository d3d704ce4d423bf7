// Removes all VMs, where whoever asks knows how many there are.

import type pg from 'pg';
import { inTransaction, takeOnlyRow, setActor } from './session.js';

/**
 * TRUNCATE if there are exactly so many; gives how many there are. Nobody changes the table between the counting and the
 * removing.
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
