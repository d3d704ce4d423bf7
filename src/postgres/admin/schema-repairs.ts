// The statements that give triggers, functions and indexes their shipped form again. The text of a
// function is that of the latest migration that defines it; PostgreSQL's own description of the
// shipped schema has those of triggers and indexes.

import pg from 'pg';
import { readMigrations } from '../migrations/migration-files.js';
import type { Described, SchemaDrift, Wanted } from './schema-drift.js';
import { takeOnlyRow } from './session.js';

/** Statements for `db repair`, in the order in which they run. */
export interface SchemaRepairs {
  /** Functions first, because triggers call them. */
  readonly triggers: readonly string[];
  /** Each runs outside of a transaction, because it must not lock the table. */
  readonly indexes: readonly string[];
}

const OWNER = `SELECT pg_get_userbyid(relowner) AS owner FROM pg_catalog.pg_class WHERE oid = 'public.vms'::regclass`;

/** Builds the statements for what differs. */
export async function buildSchemaRepairs(
  session: pg.Client,
  { wanted }: SchemaDrift,
): Promise<SchemaRepairs> {
  const migrations = await readMigrations();
  const sql = migrations.map((migration) => migration.sql).join('\n');
  const { owner } = takeOnlyRow(await session.query<{ owner: string }>(OWNER));
  return {
    triggers: [
      ...wanted.function.flatMap((described) => repairFunction(described, sql, owner)),
      ...wanted.trigger.flatMap(repairTrigger),
    ],
    indexes: wanted.index.flatMap(repairIndex),
  };
}

/** A text between `$$`, as every function of the migrations has it. */
const BODY = String.raw`\([\s\S]*?\nAS \$\$[\s\S]*?\$\$;`;

function repairFunction(
  { name, definition }: Described,
  sql: string,
  owner: string,
): readonly string[] {
  const all = sql.match(
    new RegExp(String.raw`CREATE OR REPLACE FUNCTION public\.${name}${BODY}`, 'g'),
  );
  const text = all?.at(-1);
  if (text === undefined) return [];
  const args = definition.slice(name.length, definition.indexOf(')') + 1);
  return [
    text.replace(/;$/, ''),
    `ALTER FUNCTION public.${name}${args} OWNER TO ${pg.escapeIdentifier(owner)}`,
    // A function that is made again may be executed by all; the shipped ones may not.
    ...(/ SECURITY DEFINER |^prune_/.test(definition)
      ? [`REVOKE ALL ON FUNCTION public.${name}${args} FROM PUBLIC`]
      : []),
  ];
}

function repairTrigger({ name, definition, state, isDefined }: Wanted): readonly string[] {
  const when = state === undefined || state === 'disabled' ? '' : `${state.toUpperCase()} `;
  return [
    ...(isDefined ? [] : [`DROP TRIGGER IF EXISTS ${name} ON public.vms`, definition]),
    `ALTER TABLE public.vms ENABLE ${when}TRIGGER ${name}`,
  ];
}

function repairIndex({ name, definition }: Described): readonly string[] {
  return [
    `DROP INDEX CONCURRENTLY IF EXISTS public.${name}`,
    definition.replace(/INDEX /, 'INDEX CONCURRENTLY '),
  ];
}
