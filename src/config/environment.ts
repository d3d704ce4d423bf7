// Reads and validates the environment variables.

import { Type, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { quoteValue } from './config-error.js';
import { Environment, VARIABLES } from './variables.js';

/**
 * Whether `name` has a value. An empty value counts as not set, as `NAME=` in a compose file means.
 */
export function isSet(env: NodeJS.ProcessEnv, name: string): boolean {
  return env[name] !== undefined && env[name] !== '';
}

/**
 * Reads and validates every variable. Problems are added to `problems`, and the variable then has
 * its default or no value, so that all others are validated too.
 */
export function readEnvironment(env: NodeJS.ProcessEnv, problems: string[]): Environment {
  const read: Record<string, unknown> = {};
  for (const { name, schema, about } of VARIABLES) {
    if (!Type.IsOptional(schema)) read[name] = about.default;
    const text = env[name];
    if (text === undefined || text === '') continue;
    const value = convertText(schema, text);
    if (Value.Check(schema, value)) read[name] = value;
    else
      problems.push(`${name} is ${describeValue(text, about.secret)}; expected ${about.expected}`);
  }
  if (!Value.Check(Environment, read)) throw new Error('a default does not pass its own check');
  return read;
}

/**
 * Converts `text` to a number if `schema` is an integer. Only decimal digits are accepted, because
 * TypeBox's own conversion also accepts `0x10` and `12.5`.
 */
export function convertText(schema: TSchema, text: string): string | number {
  return Type.IsInteger(schema) && /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : text;
}

function describeValue(text: string, secret: boolean | undefined): string {
  return secret ? `set (${Buffer.byteLength(text)} bytes, not shown)` : quoteValue(text);
}

/**
 * Adds every unknown `LABLINK_…` variable to `problems`: a misspelled variable would otherwise
 * silently have no effect.
 * @param referenced names that the file of LABLINK_CONFIG refers to
 */
export function rejectUnknown(
  env: NodeJS.ProcessEnv,
  referenced: ReadonlySet<string>,
  problems: string[],
): void {
  const names = VARIABLES.map((variable) => variable.name);
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith('LABLINK_') || !isSet(env, name)) continue;
    if (names.includes(name) || referenced.has(name)) continue;
    const bare = name.slice('LABLINK_'.length);
    const hint = names.includes(bare) ? `; the variable is called ${bare}` : '';
    problems.push(`${name} is not a variable of this program${hint}`);
  }
}
