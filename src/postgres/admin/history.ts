// What a restore brings back besides the VMs: events, deliveries and enrolments that the backup has and the database
// lacks. These are only ever added to; what happened since the backup stays known.

import type pg from 'pg';
import { takeOnlyRow } from './session.js';
import { formatColumns, type StagingTable } from './staging-tables.js';

/**
 * Adds the events that are missing, with their ids. Where an id is another event's (the database is another one than the
 * backup's, and has an audit of its own), none is added.
 * @returns how many; undefined when they were left out.
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

/** Adds the rows of a table whose keys are not here; those that are stay as they are. */
export async function addMissingRows(
  session: pg.Client,
  table: string,
  staged: StagingTable | undefined,
): Promise<number> {
  if (staged === undefined) return 0;
  const { name, columns } = staged;
  const { rowCount } = await session.query(
    `INSERT INTO public.${table} (${formatColumns(columns)}) SELECT ${formatColumns(columns, 'r')} FROM ${name} r
     ON CONFLICT DO NOTHING`,
  );
  return rowCount ?? 0;
}
