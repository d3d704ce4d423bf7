// Checks the schema: whether the migrations are current, and whether it was changed afterwards.

import { readSchemaStatus } from '../../migrations/migrate.js';
import { takeOnlyRow } from '../session.js';
import { findSchemaDrift } from '../schema-drift.js';
import { buildSchemaRepairs } from '../schema-repairs.js';
import type { Finding, CheckContext } from './finding.js';

/** Checks migrations first: an outdated schema rightly has other triggers and indexes. */
export async function checkSchema({ session, connection }: CheckContext): Promise<Finding[]> {
  const { pending, problem } = await readSchemaStatus(connection);
  if (problem !== undefined || pending.length > 0) {
    return [createNotCurrentFinding(problem?.message ?? `It lacks ${pending.join(', ')}.`)];
  }
  const columns = await checkColumns(session);
  if (columns.length > 0) return columns;
  const drift = await findSchemaDrift(session);
  const { triggers, indexes } = drift;
  const repairs = await buildSchemaRepairs(session, drift);
  return [
    ...(triggers.length === 0
      ? []
      : [{ ...createTriggersFinding(triggers), statements: repairs.triggers }]),
    ...(indexes.length === 0
      ? []
      : [{ ...createIndexesFinding(indexes), statements: repairs.indexes }]),
    ...(await checkSequences(session)),
  ];
}

const createNotCurrentFinding = (why: string): Finding => ({
  id: 'schema_not_current',
  severity: 'error',
  explanation: `The schema is not the one that this version needs. ${why}`,
  remedy: 'Run "lablink-gateway db migrate" with the version of the gateways.',
});

const COLUMNS = `
  SELECT relkind IN ('r', 'p') AS is_table, ARRAY(
    SELECT name FROM unnest(ARRAY['id', 'hostname', 'status', 'email', 'crd_command', 'created_at', 'updated_at',
      'version', 'assignment_id']) AS name
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute
      WHERE attrelid = c.oid AND attname = name AND NOT attisdropped)) AS missing
  FROM pg_catalog.pg_class c WHERE oid = 'public.vms'::regclass`;

/** Comes before the checks that read these columns. */
async function checkColumns(session: CheckContext['session']): Promise<Finding[]> {
  const { is_table: isTable, missing } = takeOnlyRow(
    await session.query<{ is_table: boolean; missing: string[] }>(COLUMNS),
  );
  if (isTable && missing.length === 0) return [];
  const what = isTable ? `vms lacks the columns ${missing.join(', ')}` : 'vms is no table';
  return [
    {
      id: 'columns_missing',
      severity: 'error',
      explanation: `The gateway cannot change VMs: ${what}.`,
      remedy: isTable
        ? 'ALTER TABLE vms RENAME … TO … for a column that was renamed; ALTER TABLE vms ADD … as in schema/*.sql for one that was dropped.'
        : 'Rename the view, and ALTER TABLE … RENAME TO vms.',
    },
  ];
}

const createTriggersFinding = (what: readonly string[]): Finding => ({
  id: 'triggers_changed',
  severity: 'error',
  explanation: `Changes of VMs may not be notified, recorded or given an assignment: ${what.join(', ')}.`,
  remedy:
    'Run "lablink-gateway db repair": it enables triggers, and makes what differs again as the migrations do.',
});

const createIndexesFinding = (what: readonly string[]): Finding => ({
  id: 'indexes_missing',
  severity: 'warning',
  explanation: `Searches read whole tables: ${what.join(', ')}.`,
  remedy:
    'Run "lablink-gateway db repair", or CREATE INDEX CONCURRENTLY, as in schema/*.sql; drop an invalid index first with DROP INDEX CONCURRENTLY.',
});

const SEQUENCES = `
  SELECT (SELECT max(version) FROM public.vms) > (SELECT last_value FROM public.vms_version_seq) AS versions,
    (SELECT max(id) FROM public.vms) >
      pg_sequence_last_value(pg_get_serial_sequence('public.vms', 'id')::regclass) AS ids`;

async function checkSequences(session: CheckContext['session']): Promise<Finding[]> {
  const behind = takeOnlyRow(
    await session.query<{ versions: boolean | null; ids: boolean | null }>(SEQUENCES),
  );
  const names = [
    ...(behind.versions === true ? ['vms_version_seq'] : []),
    ...(behind.ids === true ? ['vms_id_seq'] : []),
  ];
  if (names.length === 0) return [];
  return [
    {
      id: 'sequence_behind',
      severity: 'error',
      explanation: `Rows have higher numbers than ${names.join(' and ')}, as after a restore of the rows alone: new VMs collide with old ones.`,
      remedy:
        "SELECT setval('vms_id_seq', max(id)) FROM vms; SELECT setval('vms_version_seq', max(version)) FROM vms;",
      statements: names.map(
        (name) =>
          `SELECT setval('public.${name}', max(${name === 'vms_id_seq' ? 'id' : 'version'})) FROM public.vms`,
      ),
    },
  ];
}
