// History that a restore adds besides the VMs: events, deliveries and enrolments that the database
// lacks. Rows of these tables are only added, so everything since the backup stays recorded.

import type pg from 'pg';
import { takeOnlyRow } from './session.js';
import { formatColumns, type StagingTable } from './staging-tables.js';

/**
 * Adds the missing events with their ids. Adds no event if an id belongs to a different event: then
 * the backup comes from another database, and this one has an audit of its own.
 *
 * @returns how many events were added; undefined if they were left out.
 */
export async function addEvents(
  session: pg.Client,
  staged: StagingTable | undefined,
): Promise<number | undefined> {
  if (staged === undefined) return 0;
  const { clash } = takeOnlyRow(
    await session.query<{ clash: boolean }>(
      `SELECT EXISTS (SELECT FROM ${staged.name} r JOIN public.vm_events e USING (id)
         WHERE e.at <> r.at) AS clash`,
    ),
  );
  if (clash) return undefined;
  return addMissingRows(session, 'vm_events', staged);
}

/** Adds the rows whose keys are missing, and returns how many. Existing rows stay as they are. */
export async function addMissingRows(
  session: pg.Client,
  table: string,
  staged: StagingTable | undefined,
): Promise<number> {
  if (staged === undefined) return 0;
  const { name, columns } = staged;
  const { rowCount } = await session.query(
    `INSERT INTO public.${table} (${formatColumns(columns)}) OVERRIDING SYSTEM VALUE
     SELECT ${formatColumns(columns, 'r')} FROM ${name} r
     ON CONFLICT DO NOTHING`,
  );
  return rowCount ?? 0;
}
