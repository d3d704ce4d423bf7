// A restore: the rows of `vms` become those of a backup, in one transaction, so that nobody ever sees an empty table.
// Rows that are as in the backup are not touched: their assignments go on. What says who is here now (presence, leases
// of gateways) is left alone, and so is the schema.

import type pg from 'pg';
import { migrate } from '../migrations/migrate.js';
import { openDump } from './dump.js';
import { readDump } from './dump-reader.js';
import { addEvents, addMissing } from './history.js';
import { MaintenanceError } from './maintenance-error.js';
import { inTransaction, only, signAs, withSession } from './session.js';
import { columnList, stage, type Staged } from './staging.js';

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
const USED = ['vms', 'vm_events', 'vm_deliveries', 'vm_enrolments'] as const;
type Used = (typeof USED)[number];

interface Backup {
  readonly tables: ReadonlyMap<Used, Staged>;
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
      () => work(session, options),
      dryRun ? 'ROLLBACK' : 'COMMIT',
    ),
  );
}

async function work(session: pg.Client, options: RestoreOptions): Promise<RestoreReport> {
  const { file, replace, dryRun } = options;
  await signAs(session, 'restore');
  if (!replace) await refuseRows(session);
  const backup = await read(session, file);
  const vms = backup.tables.get('vms');
  if (vms === undefined) {
    throw new MaintenanceError('bad_backup', `${file} holds no table vms.`);
  }
  // Readers go on; writers wait, so that what is compared is what is changed.
  if (!dryRun) await session.query('LOCK TABLE public.vms IN EXCLUSIVE MODE');
  if (!replace) await refuseRows(session);
  const counts = await compare(session, vms);
  const history = {
    events: await addEvents(session, backup.tables.get('vm_events')),
    // Before the rows, whose trigger makes those that are missing.
    deliveries: await addMissing(session, 'vm_deliveries', backup.tables.get('vm_deliveries')),
    enrolments: await addMissing(session, 'vm_enrolments', backup.tables.get('vm_enrolments')),
  };
  if (!dryRun) await exchange(session, vms, backup);
  return { ...counts, ...history, leftOut: backup.leftOut };
}

async function refuseRows(session: pg.Client): Promise<void> {
  const { count } = only(
    await session.query<{ count: number }>('SELECT count(*)::float8 AS count FROM public.vms'),
  );
  if (count === 0) return;
  throw new MaintenanceError(
    'refused',
    `There are ${count} VMs in the table; --replace puts those of the backup in their place.`,
  );
}

async function read(session: pg.Client, file: string): Promise<Backup> {
  const tables = new Map<Used, Staged>();
  const sequences = new Map<string, bigint>();
  const leftOut: string[] = [];
  await readDump(await openDump(file), {
    table: async (table, rows) => {
      const used = USED.find((name) => table.name === `public.${name}` || table.name === name);
      if (used !== undefined) {
        tables.set(used, await stage(session, used, table, rows));
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
function compared({ columns }: Staged): string[] {
  return columns.filter((column) => column !== 'version');
}

/** Whether the row `v` of the table is the row `r` of the backup. By image: json and xml have no equality. */
function isSame(columns: readonly string[]): string {
  const [backup, table] = [columnList(columns, 'r'), columnList(columns, 'v')];
  return `r.id = v.id AND record_image_eq(ROW(${backup}), ROW(${table}))`;
}

async function compare(session: pg.Client, vms: Staged) {
  return only(
    await session.query<Record<'vms' | 'kept' | 'removed' | 'added', number>>(
      `SELECT (SELECT count(*) FROM ${vms.name})::float8 AS vms, kept,
         ((SELECT count(*) FROM public.vms) - kept)::float8 AS removed,
         ((SELECT count(*) FROM ${vms.name}) - kept)::float8 AS added
       FROM (SELECT count(*)::float8 AS kept FROM public.vms v JOIN ${vms.name} r
         ON ${isSame(compared(vms))}) AS same`,
    ),
  );
}

async function exchange(
  session: pg.Client,
  vms: Staged,
  { sequences, tables }: Backup,
): Promise<void> {
  // Before the rows: their new versions, and events, must lie above all that were heard of the old ones.
  await advance(session, 'public.vms_version_seq', sequences, vms, 'version');
  const events = tables.get('vm_events');
  if (events !== undefined) {
    await advance(session, await sequenceOf(session, 'vm_events'), sequences, events, 'id');
  }
  const columns = compared(vms);
  await session.query(
    `DELETE FROM public.vms v WHERE NOT EXISTS (SELECT FROM ${vms.name} r WHERE ${isSame(columns)})`,
  );
  await session.query(
    `INSERT INTO public.vms (${columnList(columns)}) SELECT ${columnList(columns, 'r')} FROM ${vms.name} r
     WHERE NOT EXISTS (SELECT FROM public.vms v WHERE v.id = r.id) ORDER BY r.id`,
  );
  await advance(session, await sequenceOf(session, 'vms'), sequences, vms, 'id');
  await check(session, vms);
}

/** The sequence that a table's `id` comes from; null where it has none. */
async function sequenceOf(session: pg.Client, table: string): Promise<string | null> {
  const sql = `SELECT pg_get_serial_sequence($1, 'id') AS name`;
  return only(await session.query<{ name: string | null }>(sql, [`public.${table}`])).name;
}

/** Sets a sequence to the highest of what it is, what it was in the backup, and the values of the column; never back. */
async function advance(
  session: pg.Client,
  sequence: string | null,
  sequences: ReadonlyMap<string, bigint>,
  { name, columns }: Staged,
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
async function check(session: pg.Client, vms: Staged): Promise<void> {
  const columns = compared(vms).filter((column) => column !== 'assignment_id');
  const { differing } = only(
    await session.query<{ differing: number }>(
      `SELECT (greatest((SELECT count(*) FROM ${vms.name}), (SELECT count(*) FROM public.vms)) - count(*))::float8
         AS differing FROM ${vms.name} r JOIN public.vms v ON ${isSame(columns)}`,
    ),
  );
  if (differing === 0) return;
  throw new MaintenanceError(
    'failed',
    `${differing} rows would not be as in the backup, so nothing was changed: a trigger of yours changes them, or the backup has a hostname twice.`,
  );
}
