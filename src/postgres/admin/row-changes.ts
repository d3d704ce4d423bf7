// Brings the rows of `vms` to those of a backup in place, by their ids: only the difference is
// written, so foreign keys of other tables keep their rows. Rows that inherit from vms are not
// touched. The caller holds a lock that no writer passes.

import type pg from 'pg';
import {
  buildRowMatch,
  formatColumns,
  listComparedColumns,
  type StagingTable,
} from './staging-tables.js';

/** Deletes the rows whose ids the backup lacks. */
export async function removeSurplusRows(session: pg.Client, vms: StagingTable): Promise<void> {
  await session.query(
    `DELETE FROM ONLY public.vms v WHERE NOT EXISTS (SELECT FROM ${vms.name} r WHERE r.id = v.id)`,
  );
}

/** Inserts the rows whose ids the table lacks, also where `id` is GENERATED ALWAYS. */
export async function insertMissingRows(session: pg.Client, vms: StagingTable): Promise<void> {
  const columns = listComparedColumns(vms);
  await session.query(
    `INSERT INTO public.vms (${formatColumns(columns)}) OVERRIDING SYSTEM VALUE
     SELECT ${formatColumns(columns, 'r')} FROM ${vms.name} r
     WHERE NOT EXISTS (SELECT FROM ONLY public.vms v WHERE v.id = r.id) ORDER BY r.id`,
  );
}

/**
 * Updates the rows that differ. The trigger that stamps each change would set another assignment
 * and time, so it is off meanwhile, and the version is set here; the rollback of a failure turns it
 * on again.
 */
export async function updateChangedRows(session: pg.Client, vms: StagingTable): Promise<void> {
  const { rows } = await session.query<{ state: string }>(
    `SELECT tgenabled AS state FROM pg_catalog.pg_trigger
     WHERE tgrelid = 'public.vms'::regclass AND tgname = 'vm_stamp_trigger'`,
  );
  const enable = ENABLE.get(rows[0]?.state ?? '');
  if (enable !== undefined) await alterStampTrigger(session, 'DISABLE');
  await parkHostnames(session, vms);
  await session.query(
    `UPDATE ONLY public.vms v SET ${buildAssignments(vms)} FROM ${vms.name} r
     WHERE r.id = v.id AND NOT (${buildRowMatch(listComparedColumns(vms))})`,
  );
  if (enable !== undefined) await alterStampTrigger(session, enable);
}

/** The words of ALTER TABLE for each state of a trigger (pg_trigger.tgenabled), except disabled. */
const ENABLE = new Map([
  ['O', 'ENABLE'],
  ['A', 'ENABLE ALWAYS'],
  ['R', 'ENABLE REPLICA'],
]);

/** Deferred triggers run first, because ALTER TABLE refuses a table with pending ones. */
async function alterStampTrigger(session: pg.Client, how: string): Promise<void> {
  await session.query('SET CONSTRAINTS ALL IMMEDIATE');
  await session.query(`ALTER TABLE public.vms ${how} TRIGGER vm_stamp_trigger`);
}

/** Renames rows whose hostname another row is about to take, because hostnames are unique. */
async function parkHostnames(session: pg.Client, vms: StagingTable): Promise<void> {
  await session.query(
    `UPDATE ONLY public.vms v SET hostname = 'restoring-' || gen_random_uuid(), version = ${VERSION}
     WHERE EXISTS (SELECT FROM ${vms.name} r WHERE r.hostname = v.hostname AND r.id <> v.id)`,
  );
}

/** As stamp_vm() counts. */
const VERSION = `greatest(nextval('public.vms_version_seq'), v.version + 1)`;

/**
 * Builds the SET list. A dump without assignments keeps that of an unchanged person; every in-use
 * row has one.
 */
function buildAssignments(vms: StagingTable): string {
  const columns = listComparedColumns(vms).filter(
    (column) => column !== 'id' && column !== 'assignment_id',
  );
  const person = ['status', 'email', 'crd_command'];
  const isSame = `record_image_eq(ROW(${formatColumns(person, 'r')}), ROW(${formatColumns(person, 'v')}))`;
  const known = vms.columns.includes('assignment_id')
    ? 'r.assignment_id'
    : `CASE WHEN ${isSame} THEN v.assignment_id END`;
  return [
    ...columns.map((column) => `${formatColumns([column])} = ${formatColumns([column], 'r')}`),
    `version = ${VERSION}`,
    `assignment_id = coalesce(${known}, CASE WHEN r.status = 'in-use' THEN gen_random_uuid() END)`,
  ].join(', ');
}
