// How a database's triggers, functions and indexes differ from what the migrations made: the record
// of migrations does not show later changes. PostgreSQL describes them (schema/snapshot.sql), and
// the description is compared with that of a migrated database (schema/snapshot.txt).

import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { inTransaction } from './session.js';

/** What differs, as sentences for operators. */
export interface SchemaDrift {
  /** Triggers and functions. */
  readonly triggers: readonly string[];
  readonly indexes: readonly string[];
  /** The objects as they should be, functions before triggers. */
  readonly wanted: Readonly<Record<Kind, readonly Wanted[]>>;
}

/** An object of the schema. */
export interface Described {
  readonly name: string;
  readonly definition: string;
  /**
   * When a trigger fires: `always`, `replica` (only there), `disabled`, or undefined (not on a
   * replica).
   */
  readonly state: string | undefined;
}

/** An object that differs, as it should be. */
export interface Wanted extends Described {
  /** Only the state of a trigger differs. */
  readonly isDefined: boolean;
}

type Kind = 'trigger' | 'function' | 'index';
type Description = Readonly<Record<Kind, ReadonlyMap<string, Described>>>;

const SCHEMA_FOLDER = new URL('../../../schema/', import.meta.url);

/** A line of the snapshot: kind, definition, and a trigger's state. */
const LINE = /^(trigger|function|index) (.*?)(?: \((always|replica|disabled)\))?$/;
/** The name that begins a definition, and a function's arguments. */
const IDENTITY = /^(?:CREATE (?:UNIQUE )?(?:TRIGGER|INDEX) )?([^\s(]+)(\([^)]*\))?/;
/** An index that a constraint needs; its name is the constraint's. */
const CONSTRAINT = /^constraint [^.]+\.(\S+) /;

const INVALID_INDEXES = `
  SELECT relname AS name FROM pg_catalog.pg_index JOIN pg_catalog.pg_class ON oid = indexrelid
  WHERE relnamespace = 'public'::regnamespace AND NOT indisvalid ORDER BY 1`;

/**
 * Compares the schema public with the shipped one. Objects that the migrations did not make are
 * ignored. The session must not be in a transaction, and the migrations must be current.
 */
export async function findSchemaDrift(session: pg.Client): Promise<SchemaDrift> {
  const shipped = describe(await readLines('snapshot.txt'));
  const actual = describe(await describeDatabase(session));
  const invalid = await session.query<{ name: string }>(INVALID_INDEXES);
  const invalidNames = invalid.rows.map(({ name }) => name);
  return {
    wanted: {
      function: pick(shipped.function, actual.function, compareFunctions),
      trigger: pick(shipped.trigger, actual.trigger, compareTriggers),
      index: [...shipped.index.values()]
        .filter(({ name }) => !actual.index.has(name) || invalidNames.includes(name))
        .map((wanted) => ({ ...wanted, isDefined: false })),
    },
    triggers: [
      ...compareAll(shipped.trigger, actual.trigger, compareTriggers),
      ...compareAll(shipped.function, actual.function, compareFunctions),
    ],
    indexes: [
      ...[...shipped.index.keys()]
        .filter((name) => !actual.index.has(name))
        .map((name) => `the index ${name} is missing`),
      ...invalidNames.map((name) => `the index ${name} is invalid: its creation was interrupted`),
    ],
  };
}

/** Runs the snapshot's query, whose change of search_path the rollback takes back. */
async function describeDatabase(session: pg.Client): Promise<string[]> {
  const [setting = '', query = ''] = (await readText('snapshot.sql')).split(/(?=^WITH)/m);
  return inTransaction(
    session,
    'BEGIN READ ONLY',
    async () => {
      await session.query(setting);
      const { rows } = await session.query<{ line: string }>(query);
      return rows.map(({ line }) => line);
    },
    'ROLLBACK',
  );
}

function describe(lines: readonly string[]): Description {
  const constraints = new Set(lines.map((line) => CONSTRAINT.exec(line)?.[1]));
  const maps = {
    trigger: new Map<string, Described>(),
    function: new Map<string, Described>(),
    index: new Map<string, Described>(),
  };
  for (const line of lines) {
    const [, kind, definition = '', state] = LINE.exec(line) ?? [];
    const [identity, name = '', args = ''] = IDENTITY.exec(definition) ?? [];
    if (kind === undefined || identity === undefined || constraints.has(name)) continue;
    maps[kind as Kind].set(name + args, { name, definition, state });
  }
  return maps;
}

/** Picks the objects that differ. */
function pick(
  shipped: ReadonlyMap<string, Described>,
  actual: ReadonlyMap<string, Described>,
  compare: typeof compareTriggers,
): Wanted[] {
  return [...shipped]
    .filter(([key, wanted]) => compare(wanted, actual.get(key)) !== undefined)
    .map(([key, wanted]) => ({
      ...wanted,
      isDefined: actual.get(key)?.definition === wanted.definition,
    }));
}

function compareAll(
  shipped: ReadonlyMap<string, Described>,
  actual: ReadonlyMap<string, Described>,
  compare: (wanted: Described, found: Described | undefined) => string | undefined,
): string[] {
  return [...shipped].flatMap(([key, wanted]) => compare(wanted, actual.get(key)) ?? []);
}

function compareTriggers(wanted: Described, found: Described | undefined): string | undefined {
  const { name } = wanted;
  if (found === undefined) return `the trigger ${name} is missing`;
  if (found.definition !== wanted.definition) return `the trigger ${name} is another one`;
  if (found.state === wanted.state) return undefined;
  if (found.state === 'disabled') return `the trigger ${name} is disabled`;
  return `the trigger ${name} is not ${WANTED[wanted.state ?? 'origin'] ?? 'as it was'}`;
}

/** As ALTER TABLE ENABLE TRIGGER says it. */
const WANTED: Readonly<Record<string, string>> = {
  always: 'ALWAYS',
  replica: 'REPLICA',
  origin: 'for the origin alone',
};

function compareFunctions(wanted: Described, found: Described | undefined): string | undefined {
  const { name } = wanted;
  if (found === undefined) return `the function ${name}() is missing`;
  return found.definition === wanted.definition
    ? undefined
    : `the function ${name}() is another one`;
}

async function readLines(name: string): Promise<string[]> {
  return (await readText(name)).trimEnd().split('\n');
}

/** Reads a file with LF line endings, whatever a checkout made of them. */
async function readText(name: string): Promise<string> {
  return (await readFile(new URL(name, SCHEMA_FOLDER), 'utf8')).replaceAll('\r\n', '\n');
}
