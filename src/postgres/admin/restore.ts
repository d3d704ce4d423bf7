// A restore: the rows of `vms` become those of a backup, in one transaction, so that nobody ever sees an empty table.
// Rows that are as in the backup are not touched: their assignments go on. What says who is here now (presence, leases
// of gateways) is left alone, and so is the schema.

import type pg from 'pg';
import { migrate } from '../migrations/migrate.js';
import { openDump } from './dump.js';
import { readDump } from './dump-reader.js';
import { addEvents, addMissingRows } from './history.js';
import { MaintenanceError } from './maintenance-error.js';
import { inTransaction, takeOnlyRow, setActor, withSession } from './session.js';
import { formatColumns, fillStagingTable, type StagingTable } from './staging-tables.js';

export interface RestoreOptions {
  readonly connection: pg.ClientConfig;
  readonly file: string;
  /** Take the place of rows that are there. */
  readonly replace: boolean;
  /** Tell what would be done, and do nothing. */
  readonly dryRun: boolean;
}

export interface RestoreReport {
  /** How many the backup has. */
  readonly vms: number;
  /** Rows that were as in the backup. */
  readonly kept: number;
  readonly removed: number;
  readonly added: number;
  /** Events of the audit that were missing; undefined when those of the backup are another table's. */
  readonly events: number | undefined;
  /** Deliveries and enrolments that were missing. */
  readonly deliveries: number;
  readonly enrolments: number;
  /** Other tables of the backup, which are left as they are. */
  readonly leftOut: readonly string[];
}

/** Tables whose rows are used. */
const USED_TABLES = ['vms', 'vm_events', 'vm_deliveries', 'vm_enrolments'] as const;
type UsedTable = (typeof USED_TABLES)[number];

interface Backup {
  readonly tables: ReadonlyMap<UsedTable, StagingTable>;
  readonly sequences: ReadonlyMap<string, bigint>;
  readonly leftOut: readonly string[];
}

/** @throws MaintenanceError; then nothing was changed. */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { connection, dryRun } = options;
  await migrate(connection, { mode: dryRun ? 'check' : 'apply' });
  // Each statement sees what was committed before it began: who waited for the lock sees what its holder did.
  return withSession(connection, 'restore', (session) =>
    inTransaction(
      session,
      'BEGIN ISOLATION LEVEL READ COMMITTED',
      () => restoreIn(session, options),
      dryRun ? 'ROLLBACK' : 'COMMIT',
    ),
  );
}

async function restoreIn(session: pg.Client, options: RestoreOptions): Promise<RestoreReport> {
  const { file, replace, dryRun } = options;
  await setActor(session, 'restore');
  if (!replace) await refuseRows(session);
  const backup = await stageBackup(session, file);
  const vms = backup.tables.get('vms');
  if (vms === undefined) {
    throw new MaintenanceError('bad_backup', `${file} holds no table vms.`);
  }
  // Readers go on; writers wait, so that what is compared is what is changed.
  if (!dryRun) await session.query('LOCK TABLE public.vms IN EXCLUSIVE MODE');
  if (!replace) await refuseRows(session);
  const counts = await countChanges(session, vms);
  const history = {
    events: await addEvents(session, backup.tables.get('vm_events')),
    // Before the rows, whose trigger makes those that are missing.
    deliveries: await addMissingRows(session, 'vm_deliveries', backup.tables.get('vm_deliveries')),
    enrolments: await addMissingRows(session, 'vm_enrolments', backup.tables.get('vm_enrolments')),
  };
  if (!dryRun) await replaceRows(session, vms, backup);
  return { ...counts, ...history, leftOut: backup.leftOut };
}

async function refuseRows(session: pg.Client): Promise<void> {
  const { count } = takeOnlyRow(
    await session.query<{ count: number }>('SELECT count(*)::float8 AS count FROM public.vms'),
  );
  if (count === 0) return;
  throw new MaintenanceError(
    'refused',
    `There are ${count} VMs in the table; --replace puts those of the backup in their place.`,
  );
}

async function stageBackup(session: pg.Client, file: string): Promise<Backup> {
  const tables = new Map<UsedTable, StagingTable>();
  const sequences = new Map<string, bigint>();
  const leftOut: string[] = [];
  await readDump(await openDump(file), {
    table: async (table, rows) => {
      const used = USED_TABLES.find(
        (name) => table.name === `public.${name}` || table.name === name,
      );
      if (used !== undefined) {
        tables.set(used, await fillStagingTable(session, used, table, rows));
        return;
      }
      leftOut.push(table.name);
      await discard(rows);
    },
    sequence: (name, value) => sequences.set(name, value),
  });
  return { tables, sequences, leftOut };
}

async function discard(rows: AsyncGenerator<Buffer>): Promise<void> {
  while ((await rows.next()).done !== true);
}

/** By these a row is the same: not by its version, which the table gives anew. */
function listComparedColumns({ columns }: StagingTable): string[] {
  return columns.filter((column) => column !== 'version');
}

/** Whether the row `v` of the table is the row `r` of the backup. By image: json and xml have no equality. */
function buildRowMatch(columns: readonly string[]): string {
  const [backup, table] = [formatColumns(columns, 'r'), formatColumns(columns, 'v')];
  return `r.id = v.id AND record_image_eq(ROW(${backup}), ROW(${table}))`;
}

async function countChanges(session: pg.Client, vms: StagingTable) {
  return takeOnlyRow(
    await session.query<Record<'vms' | 'kept' | 'removed' | 'added', number>>(
      `SELECT (SELECT count(*) FROM ${vms.name})::float8 AS vms, kept,
         ((SELECT count(*) FROM public.vms) - kept)::float8 AS removed,
         ((SELECT count(*) FROM ${vms.name}) - kept)::float8 AS added
       FROM (SELECT count(*)::float8 AS kept FROM public.vms v JOIN ${vms.name} r
         ON ${buildRowMatch(listComparedColumns(vms))}) AS same`,
    ),
  );
}

async function replaceRows(
  session: pg.Client,
  vms: StagingTable,
  { sequences, tables }: Backup,
): Promise<void> {
  // Before the rows: their new versions, and events, must lie above all that were heard of the old ones.
  await advanceSequence(session, 'public.vms_version_seq', sequences, vms, 'version');
  const events = tables.get('vm_events');
  if (events !== undefined) {
    await advanceSequence(
      session,
      await findIdSequence(session, 'vm_events'),
      sequences,
      events,
      'id',
    );
  }
  const columns = listComparedColumns(vms);
  await session.query(
    `DELETE FROM public.vms v WHERE NOT EXISTS (SELECT FROM ${vms.name} r WHERE ${buildRowMatch(columns)})`,
  );
  await session.query(
    `INSERT INTO public.vms (${formatColumns(columns)}) SELECT ${formatColumns(columns, 'r')} FROM ${vms.name} r
     WHERE NOT EXISTS (SELECT FROM public.vms v WHERE v.id = r.id) ORDER BY r.id`,
  );
  await advanceSequence(session, await findIdSequence(session, 'vms'), sequences, vms, 'id');
  await checkRestored(session, vms);
}

/** The sequence that a table's `id` comes from; null where it has none. */
async function findIdSequence(session: pg.Client, table: string): Promise<string | null> {
  const sql = `SELECT pg_get_serial_sequence($1, 'id') AS name`;
  return takeOnlyRow(await session.query<{ name: string | null }>(sql, [`public.${table}`])).name;
}

/** Sets a sequence to the highest of what it is, what it was in the backup, and the values of the column; never back. */
async function advanceSequence(
  session: pg.Client,
  sequence: string | null,
  sequences: ReadonlyMap<string, bigint>,
  { name, columns }: StagingTable,
  column: string,
): Promise<void> {
  if (sequence === null) return;
  const highest = columns.includes(column) ? `(SELECT max(${column}) FROM ${name})` : 'NULL';
  await session.query(
    `SELECT setval('${sequence}', greatest(last_value, $1::bigint, ${highest})) FROM ${sequence}
     WHERE greatest($1::bigint, ${highest}) > last_value`,
    [sequences.get(sequence)?.toString() ?? null],
  );
}

/**
 * What the table holds now is the backup. An assignment that the backup does not know has just been made; triggers of
 * others could have changed more.
 */
async function checkRestored(session: pg.Client, vms: StagingTable): Promise<void> {
  const columns = listComparedColumns(vms).filter((column) => column !== 'assignment_id');
  const { differing } = takeOnlyRow(
    await session.query<{ differing: number }>(
      `SELECT (greatest((SELECT count(*) FROM ${vms.name}), (SELECT count(*) FROM public.vms)) - count(*))::float8
         AS differing FROM ${vms.name} r JOIN public.vms v ON ${buildRowMatch(columns)}`,
    ),
  );
  if (differing === 0) return;
  throw new MaintenanceError(
    'failed',
    `${differing} rows would not be as in the backup, so nothing was changed: a trigger of yours changes them, or the backup has a hostname twice.`,
  );
}
