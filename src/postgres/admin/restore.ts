// A restore: the rows of `vms` become those of a backup, in one transaction, so that no reader sees
// an empty table. Rows that equal the backup stay untouched, and so do their assignments. Presence,
// gateways' leases and the schema are never restored: they describe the present. Rows of tables of
// others never change.

import type pg from 'pg';
import { openDump } from './dump.js';
import { readDump } from './dump-reader.js';
import { addEvents, addMissingRows } from './history.js';
import { MaintenanceError } from './maintenance-error.js';
import { refuseOtherTables } from './other-tables.js';
import { insertMissingRows, removeSurplusRows, updateChangedRows } from './row-changes.js';
import { migrateInterruptibly } from './migrate-interruptibly.js';
import { inTransaction, limitIdleTime, takeOnlyRow, setActor, withSession } from './session.js';
import {
  buildRowMatch,
  fillStagingTable,
  listComparedColumns,
  type StagingTable,
} from './staging-tables.js';

export interface RestoreOptions {
  readonly connection: pg.ClientConfig;
  readonly file: string;
  /** Replace existing rows. */
  readonly replace: boolean;
  /** Report what would be done, and change nothing. */
  readonly dryRun: boolean;
  /** Interrupts the restore, which then changes nothing. */
  readonly signal?: AbortSignal;
}

export interface RestoreReport {
  /** How many VMs the backup has. */
  readonly vms: number;
  /** How many rows already equalled the backup. */
  readonly kept: number;
  readonly removed: number;
  readonly added: number;
  /** Events that were added; undefined if the backup's events belong to another audit. */
  readonly events: number | undefined;
  /** Deliveries and enrolments that were added. */
  readonly deliveries: number;
  readonly enrolments: number;
  /** Other tables of the backup, which are not restored. */
  readonly leftOut: readonly string[];
}

/** Tables whose rows are restored. */
const USED_TABLES = [
  'vms',
  'vm_events',
  'vm_deliveries',
  'vm_enrolments',
  'vm_token_revocations',
] as const;
type UsedTable = (typeof USED_TABLES)[number];

interface Backup {
  readonly tables: ReadonlyMap<UsedTable, StagingTable>;
  readonly sequences: ReadonlyMap<string, bigint>;
  readonly leftOut: readonly string[];
}

/**
 * Restores a backup, after migrating the schema if necessary.
 *
 * @throws MaintenanceError; nothing was changed then.
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const { connection, dryRun, signal } = options;
  await migrateInterruptibly(connection, dryRun ? 'check' : 'apply', signal);
  // READ COMMITTED: after waiting for the lock, each statement sees what its holder committed.
  return withSession(
    connection,
    'restore',
    (session) =>
      inTransaction(
        session,
        'BEGIN ISOLATION LEVEL READ COMMITTED',
        () => restoreIn(session, options),
        dryRun ? 'ROLLBACK' : 'COMMIT',
      ),
    signal,
  );
}

async function restoreIn(session: pg.Client, options: RestoreOptions): Promise<RestoreReport> {
  const { file, replace, dryRun, signal } = options;
  await setActor(session, 'restore');
  if (!replace) await refuseRows(session);
  const backup = await stageBackup(session, file, signal);
  const vms = backup.tables.get('vms');
  if (vms === undefined) {
    throw new MaintenanceError('bad_backup', `${file} has no table vms.`);
  }
  // Readers continue; writers wait, so that the compared rows are the changed rows.
  await limitIdleTime(session);
  await session.query('LOCK TABLE ONLY public.vms IN EXCLUSIVE MODE');
  if (!replace) await refuseRows(session);
  const counts = await countChanges(session, vms);
  const history = {
    events: await addEvents(session, backup.tables.get('vm_events')),
    // Deliveries come before the rows, because a trigger on the rows adds missing deliveries.
    deliveries: await addMissingRows(session, 'vm_deliveries', backup.tables.get('vm_deliveries')),
    enrolments: await addMissingRows(session, 'vm_enrolments', backup.tables.get('vm_enrolments')),
  };
  const revocations = backup.tables.get('vm_token_revocations');
  await addMissingRows(session, 'vm_token_revocations', revocations);
  // No rollback takes a sequence back, so a dry run leaves the sequences as they are.
  if (!dryRun) await advanceSequences(session, vms, backup);
  await removeSurplusRows(session, vms);
  await updateChangedRows(session, vms);
  await insertMissingRows(session, vms);
  await checkRestored(session, vms);
  await refuseOtherTables(session);
  return { ...counts, ...history, leftOut: backup.leftOut };
}

async function refuseRows(session: pg.Client): Promise<void> {
  const { count } = takeOnlyRow(
    await session.query<{ count: number }>('SELECT count(*)::float8 AS count FROM ONLY public.vms'),
  );
  if (count === 0) return;
  throw new MaintenanceError(
    'refused',
    `There are ${count} VMs in the table; --replace replaces them by those of the backup.`,
  );
}

async function stageBackup(
  session: pg.Client,
  file: string,
  signal: AbortSignal | undefined,
): Promise<Backup> {
  const tables = new Map<UsedTable, StagingTable>();
  const sequences = new Map<string, bigint>();
  const leftOut: string[] = [];
  await readDump(await openDump(file, signal), {
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

async function countChanges(session: pg.Client, vms: StagingTable) {
  return takeOnlyRow(
    await session.query<Record<'vms' | 'kept' | 'removed' | 'added', number>>(
      `SELECT (SELECT count(*) FROM ${vms.name})::float8 AS vms, kept,
         ((SELECT count(*) FROM ONLY public.vms) - kept)::float8 AS removed,
         ((SELECT count(*) FROM ${vms.name}) - kept)::float8 AS added
       FROM (SELECT count(*)::float8 AS kept FROM ONLY public.vms v JOIN ${vms.name} r
         ON ${buildRowMatch(listComparedColumns(vms))}) AS same`,
    ),
  );
}

/** Advances the sequences first: new versions and events must be above all that clients know. */
async function advanceSequences(
  session: pg.Client,
  vms: StagingTable,
  { sequences, tables }: Backup,
): Promise<void> {
  await advanceSequence(session, 'public.vms_version_seq', sequences, vms, 'version');
  await advanceSequence(session, await findIdSequence(session, 'vms'), sequences, vms, 'id');
  const events = tables.get('vm_events');
  if (events === undefined) return;
  const sequence = await findIdSequence(session, 'vm_events');
  await advanceSequence(session, sequence, sequences, events, 'id');
}

/** Finds the sequence of a table's `id`; null if there is none. */
async function findIdSequence(session: pg.Client, table: string): Promise<string | null> {
  const sql = `SELECT pg_get_serial_sequence($1, 'id') AS name`;
  return takeOnlyRow(await session.query<{ name: string | null }>(sql, [`public.${table}`])).name;
}

/**
 * Advances a sequence to the highest of its value, its value in the backup, and the column's
 * values. A sequence never goes back.
 */
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
 * Checks that the table now equals the backup. Assignment ids are not compared: the triggers make
 * new ones for rows of older backups.
 *
 * @throws MaintenanceError `failed` if a trigger of the operator's changed other columns.
 */
async function checkRestored(session: pg.Client, vms: StagingTable): Promise<void> {
  const columns = listComparedColumns(vms).filter((column) => column !== 'assignment_id');
  const { differing } = takeOnlyRow(
    await session.query<{ differing: number }>(
      `SELECT (greatest((SELECT count(*) FROM ${vms.name}), (SELECT count(*) FROM ONLY public.vms)) - count(*))::float8
         AS differing FROM ${vms.name} r JOIN ONLY public.vms v ON ${buildRowMatch(columns)}`,
    ),
  );
  if (differing === 0) return;
  throw new MaintenanceError(
    'failed',
    `${differing} rows would not be as in the backup, so nothing was changed: another trigger changes them, or the backup has a hostname twice.`,
  );
}
