// The triggers, functions and indexes that the migrations make, read out of their SQL, and how a database's differ: the
// record of migrations does not tell of what somebody changed afterwards.

import type pg from 'pg';
import { readMigrations } from '../migrations/migration-files.js';

interface ShippedSchema {
  /** The statement's words, sorted: PostgreSQL tells of a trigger with events and parentheses in its own way. */
  readonly triggers: ReadonlyMap<string, string>;
  /** Triggers that fire under `session_replication_role = replica` too. */
  readonly always: ReadonlySet<string>;
  /** The text between the dollar quotes. */
  readonly functions: ReadonlyMap<string, string>;
  readonly indexes: ReadonlySet<string>;
}

const TRIGGER = /^(DROP|CREATE) TRIGGER (?:IF EXISTS )?(\w+)\b[^;]*;/gm;
const ALWAYS = /ENABLE ALWAYS TRIGGER (\w+)/g;
const FUNCTION =
  /CREATE OR REPLACE FUNCTION public\.(\w+)\((?:(?!\$\$)[\s\S])*?\bAS \$\$([\s\S]*?)\$\$/g;
const INDEX =
  /^(DROP|CREATE)(?: UNIQUE)? INDEX (?:CONCURRENTLY )?(?:IF (?:NOT )?EXISTS )?(?:public\.)?(\w+)/gm;

const wordsOf = (statement: string): string =>
  statement
    .toLowerCase()
    .replaceAll(/[;()\s]+/g, ' ')
    .trim()
    .split(' ')
    .sort()
    .join(' ');

/** What is left when the migrations have been applied in their order. */
export function shippedSchema(migrations: readonly string[]): ShippedSchema {
  const triggers = new Map<string, string>();
  const always = new Set<string>();
  const functions = new Map<string, string>();
  const indexes = new Set<string>();
  for (const sql of migrations) {
    for (const [statement, verb, name = ''] of sql.matchAll(TRIGGER)) {
      if (verb === 'DROP') triggers.delete(name);
      else triggers.set(name, wordsOf(statement));
    }
    for (const [, name = ''] of sql.matchAll(ALWAYS)) always.add(name);
    for (const [, name = '', body = ''] of sql.matchAll(FUNCTION)) functions.set(name, body);
    for (const [, verb, name = ''] of sql.matchAll(INDEX)) {
      if (verb === 'DROP') indexes.delete(name);
      else indexes.add(name);
    }
  }
  return { triggers, always, functions, indexes };
}

/** What is not as the migrations made it, in words. */
export interface Drift {
  readonly triggers: readonly string[];
  readonly indexes: readonly string[];
}

interface TriggerRow {
  readonly name: string;
  readonly definition: string;
  readonly enabled: string;
}

const TRIGGERS = `
  SELECT tgname AS name, pg_get_triggerdef(t.oid) AS definition, tgenabled AS enabled
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = tgrelid
  WHERE NOT tgisinternal AND relnamespace = 'public'::regnamespace`;

const FUNCTIONS = `
  SELECT proname AS name, replace(prosrc, E'\\r', '') AS body FROM pg_catalog.pg_proc
  WHERE pronamespace = 'public'::regnamespace`;

const INDEXES = `
  SELECT relname AS name, indisvalid AS valid
  FROM pg_catalog.pg_index JOIN pg_catalog.pg_class ON oid = indexrelid
  WHERE relnamespace = 'public'::regnamespace`;

export async function schemaDrift(session: pg.Client): Promise<Drift> {
  const shipped = shippedSchema((await readMigrations()).map(({ sql }) => sql));
  // With an empty search_path every name is written with its schema, as in the migrations.
  const settings = await session.query<{ path: string }>('SHOW search_path');
  await session.query(`SET search_path TO ''`);
  const triggers = await session.query<TriggerRow>(TRIGGERS);
  await session.query(`SELECT set_config('search_path', $1, false)`, [
    Object.values(settings.rows[0] ?? {})[0] ?? '',
  ]);
  const functions = await session.query<{ name: string; body: string }>(FUNCTIONS);
  const indexes = await session.query<{ name: string; valid: boolean }>(INDEXES);
  return {
    triggers: [
      ...triggerDrift(shipped, triggers.rows),
      ...functionDrift(shipped, new Map(functions.rows.map(({ name, body }) => [name, body]))),
    ],
    indexes: indexDrift(shipped, new Map(indexes.rows.map(({ name, valid }) => [name, valid]))),
  };
}

function triggerDrift({ triggers, always }: ShippedSchema, rows: readonly TriggerRow[]): string[] {
  const there = new Map(rows.map((row) => [row.name, row]));
  return [...triggers].flatMap(([name, words]) => {
    const row = there.get(name);
    if (row === undefined) return [`the trigger ${name} is missing`];
    if (wordsOf(row.definition) !== words) return [`the trigger ${name} is another one`];
    if (row.enabled === 'D') return [`the trigger ${name} is disabled`];
    if (always.has(name) && row.enabled !== 'A') return [`the trigger ${name} is not ALWAYS`];
    return [];
  });
}

function functionDrift({ functions }: ShippedSchema, there: ReadonlyMap<string, string>): string[] {
  return [...functions].flatMap(([name, body]) => {
    const found = there.get(name);
    if (found === undefined) return [`the function ${name}() is missing`];
    return found === body ? [] : [`the function ${name}() is another one`];
  });
}

function indexDrift({ indexes }: ShippedSchema, there: ReadonlyMap<string, boolean>): string[] {
  const missing = [...indexes].filter((name) => !there.has(name));
  const invalid = [...there].filter(([, valid]) => !valid);
  return [
    ...missing.map((name) => `the index ${name} is missing`),
    ...invalid.map(([name]) => `the index ${name} is invalid: its making was cut short`),
  ];
}
