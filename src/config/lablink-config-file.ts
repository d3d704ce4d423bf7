// Reads the YAML file of LABLINK_CONFIG: `db: {dbname, user, password, host, port}`, in which
// `${NAME}` stands for an environment variable. Messages never contain a value of the file, because
// each may be a secret.

import { readFileSync } from 'node:fs';
import { Type, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { LineCounter, parseDocument } from 'yaml';
import { quoteValue } from './config-error.js';
import type { ConnectionParameters } from './database-url.js';
import { convertText, isSet } from './environment.js';
import { Environment, describeExpected } from './variables.js';

const { PGDATABASE, PGPASSWORD, PGUSER } = Environment.properties;

/** The file of the guide names one server. */
const HOST = Type.Optional(
  Type.String({
    pattern: '^[^,\\s]+$',
    description: 'The host.',
    expected: 'one host name, address or folder',
  }),
);
const PORT = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 65_535,
    description: 'The port.',
    expected: 'an integer from 1 to 65535',
  }),
);

/** The section `db`. Each key has the meaning of its environment variable. */
const Db = Type.Object(
  { dbname: PGDATABASE, user: PGUSER, password: PGPASSWORD, host: HOST, port: PORT },
  { additionalProperties: false },
);
const schemas = new Map<string, TSchema>(Object.entries(Db.properties));

/** The content of the file. */
export interface LablinkConfigFile {
  readonly connection: ConnectionParameters;
  /** The names of the environment variables that the file refers to. */
  readonly references: ReadonlySet<string>;
}

/**
 * Reads the section `db` of the file at `path`, and adds what is wrong to `problems`. The file
 * belongs to the allocator, so its other sections are ignored.
 */
export function readLablinkConfigFile(
  path: string,
  env: NodeJS.ProcessEnv,
  problems: string[],
): LablinkConfigFile {
  const faults: string[] = [];
  const references = new Set<string>();
  const entries = readEntries(path, faults).flatMap(([key, value]): [string, unknown][] => {
    const resolved = substituteVariables(key, value, env, references, faults);
    return resolved === undefined ? [] : [[key, resolved]];
  });
  faults.push(...entries.flatMap(([key, value]) => validateEntry(key, value)));
  problems.push(...faults.map((fault) => `LABLINK_CONFIG ${quoteValue(path)}: ${fault}`));
  const db: unknown = Object.fromEntries(entries);
  if (faults.length > 0 || !Value.Check(Db, db)) return { connection: {}, references };
  const { dbname, port, ...rest } = db;
  return { connection: { ...rest, port: port?.toString(), database: dbname }, references };
}

/** Reads the keys of the section `db` and their values as YAML defines them. */
function readEntries(path: string, faults: string[]): [string, unknown][] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    faults.push(`it cannot be read (${code})`);
    return [];
  }
  const file = parseYaml(text, faults);
  if (faults.length > 0) return [];
  const db = isMapping(file) ? file.get('db') : undefined;
  if (isMapping(db)) return [...db].map(([key, value]) => [String(key), value]);
  faults.push(`it has no section db; expected db: {${[...schemas.keys()].join(', ')}}`);
  return [];
}

/**
 * Parses the text. Only the first error is reported, because others follow from it, and only by
 * line and code, because its message quotes the text.
 */
function parseYaml(text: string, faults: string[]): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    faults.push(`it is not YAML at line ${line} (${error.code})`);
    return undefined;
  }
  try {
    return document.toJS({ mapAsMap: true });
  } catch {
    faults.push('it is not YAML (an alias without its anchor, or too many of them)');
    return undefined;
  }
}

function isMapping(value: unknown): value is Map<unknown, unknown> {
  return value instanceof Map;
}

/**
 * Replaces each `${NAME}` by the variable's value, in which references are not replaced again.
 * @returns undefined if a variable is not set
 */
function substituteVariables(
  key: string,
  value: unknown,
  env: NodeJS.ProcessEnv,
  references: Set<string>,
  faults: string[],
): unknown {
  if (typeof value !== 'string') return value;
  const before = faults.length;
  const text = value.replace(/\$\{([^}]*)\}/g, (_reference, name: string) => {
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      faults.push(`db.${key} has a \${…} without the name of a variable`);
      return '';
    }
    references.add(name);
    if (!isSet(env, name)) faults.push(`db.${key} refers to ${name}, which is not set`);
    return env[name] ?? '';
  });
  if (faults.length > before) return undefined;
  const schema = schemas.get(key);
  return schema === undefined ? text : convertText(schema, text);
}

function validateEntry(key: string, value: unknown): string[] {
  const schema = schemas.get(key);
  if (schema === undefined) {
    return [`db has an unknown key ${quoteValue(key)}; expected ${[...schemas.keys()].join(', ')}`];
  }
  if (Value.Check(schema, value)) return [];
  return [`db.${key} is ${describeKind(value)} (not shown); expected ${describeExpected(schema)}`];
}

/**
 * Describes the type of a value. In YAML `0123` and `true` are not text unless quoted, so the
 * message says which type was found.
 */
function describeKind(value: unknown): string {
  if (value === null) return 'a key without a value';
  if (typeof value === 'string') return 'text';
  return typeof value === 'object' ? 'a list or mapping' : `a ${typeof value} without quotes`;
}
