// Removes everything that the migrations made, and puts the guide's function and trigger back. The
// rows of vms stay. Everything happens in one transaction, and objects of others are never removed.

import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { MaintenanceError } from './maintenance-error.js';
import { OUR_TABLES, refuseOtherTables } from './other-tables.js';
import { inTransaction, limitIdleTime, takeOnlyRow } from './session.js';

export interface UninstallReport {
  /** The statements that were run, in order. */
  readonly statements: readonly string[];
  /** How many VMs stay. */
  readonly vms: number;
}

const SNAPSHOT = new URL('../../../schema/snapshot.txt', import.meta.url);

/** The indexes of the guide, and those of its constraints. */
const GUIDE_INDEXES = [
  ...['vms_pkey', 'vms_hostname_key'],
  ...['idx_vms_email', 'idx_vms_status', 'idx_vms_status_email'],
];

/** The function and the trigger as the guide has them. */
const GUIDE = [
  `CREATE FUNCTION public.notify_vm_changes() RETURNS trigger AS $$
BEGIN
  PERFORM pg_notify('vm_updates', row_to_json(NEW)::text);
  RETURN NEW;
END;
$$ LANGUAGE plpgsql`,
  `CREATE TRIGGER vm_update_trigger AFTER INSERT OR UPDATE ON public.vms
FOR EACH ROW EXECUTE FUNCTION public.notify_vm_changes()`,
];

/** dependent_objects_still_exist. */
const DEPENDED_ON = '2BP01';

/**
 * Gives back the guide's schema.
 *
 * @param dryRun do everything, then roll it back.
 * @throws MaintenanceError `refused` if a gateway runs, or if objects of others depend on ours.
 */
export function uninstall(session: pg.Client, dryRun: boolean): Promise<UninstallReport> {
  return inTransaction(
    session,
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    async () => {
      await limitIdleTime(session);
      await session.query('LOCK TABLE public.vms IN ACCESS EXCLUSIVE MODE');
      await refuseRunningGateways(session);
      const statements = await buildStatements(session);
      for (const statement of statements) await run(session, statement);
      await refuseOtherTables(session);
      const { vms } = takeOnlyRow(
        await session.query<{ vms: number }>('SELECT count(*)::float8 AS vms FROM public.vms'),
      );
      return { statements, vms };
    },
    dryRun ? 'ROLLBACK' : 'COMMIT',
  );
}

async function refuseRunningGateways(session: pg.Client): Promise<void> {
  const { running } = takeOnlyRow(
    await session.query<{ running: number }>(
      'SELECT count(*)::float8 AS running FROM public.gateways WHERE lease_until > now()',
    ),
  );
  if (running === 0) return;
  throw new MaintenanceError(
    'refused',
    `Nothing was changed: ${running} gateways run on this database. Stop them first; a killed one counts for some seconds more.`,
  );
}

async function buildStatements(session: pg.Client): Promise<string[]> {
  const { functions, triggers, indexes } = parseSnapshot(await readFile(SNAPSHOT, 'utf8'));
  const { rows } = await session.query<{ name: string; owner: string }>(
    `SELECT oid::regprocedure::text AS name,
       (SELECT relowner::regrole::text FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass) AS owner
     FROM pg_catalog.pg_proc
     WHERE pronamespace = 'public'::regnamespace AND proname = ANY ($1) ORDER BY 1`,
    [functions],
  );
  const tables = OUR_TABLES.filter((table) => table !== 'vms').map((table) => `public.${table}`);
  return [
    ...triggers.map((name) => `DROP TRIGGER IF EXISTS ${name} ON public.vms`),
    `DROP TABLE IF EXISTS ${tables.join(', ')}`,
    ...indexes.map((name) => `DROP INDEX IF EXISTS public.${name}`),
    ...(rows.length === 0 ? [] : [`DROP FUNCTION ${rows.map(({ name }) => name).join(', ')}`]),
    'ALTER TABLE public.vms DROP COLUMN IF EXISTS version, DROP COLUMN IF EXISTS assignment_id',
    'DROP SEQUENCE IF EXISTS public.vms_version_seq',
    ...GUIDE,
    ...(rows[0] === undefined
      ? []
      : [`ALTER FUNCTION public.notify_vm_changes() OWNER TO ${rows[0].owner}`]),
  ];
}

/** Reads the names of the objects on vms, and of the functions, that the migrations make. */
function parseSnapshot(text: string) {
  const find = (pattern: RegExp): string[] => [
    ...new Set([...text.matchAll(pattern)].map(([, name = '']) => name)),
  ];
  return {
    functions: find(/^function (\w+)\(/gm),
    triggers: find(/^trigger CREATE TRIGGER (\w+) .* ON public\.vms /gm),
    indexes: find(/^index CREATE (?:UNIQUE )?INDEX (\w+) ON public\.vms /gm).filter(
      (name) => !GUIDE_INDEXES.includes(name),
    ),
  };
}

async function run(session: pg.Client, statement: string): Promise<void> {
  try {
    await session.query(statement);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== DEPENDED_ON) throw error;
    throw new MaintenanceError(
      'refused',
      `Nothing was changed: ${error.message} (${error.detail ?? ''}). Drop those objects first, if you do not need them.`,
      { cause: error },
    );
  }
}
