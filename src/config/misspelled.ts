// Finds variables of the environment whose names are nearly those of this program. Without that, a
// misspelled DATABASE_URL would silently start an embedded database. Pure.

import { isSet } from './environment.js';
import { VARIABLES } from './variables.js';

/** Names that other programs use for the same, by the variable that is meant. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  DATABASE_URL: [
    'DATABASE_URI',
    'DB_URL',
    'DB_URI',
    'POSTGRES_URL',
    'POSTGRES_URI',
    'PG_URL',
    'PGURL',
  ],
  PGDATABASE: ['PGDB', 'PGDBNAME'],
  PGPASSWORD: ['PGPASS'],
  JWT_SECRET: ['JWT_SECRET_KEY', 'JWT_KEY'],
};

/** Variables of PostgreSQL and common ones of other programs that resemble ours. */
const OTHERS: ReadonlySet<string> = new Set([
  'PGDATA',
  'PGSSLCERT',
  'PGSSLKEY',
  'HOSTNAME',
  'LOGLEVEL',
]);

/** Shorter names resemble too many others. */
const MIN_LENGTH = 6;

/**
 * Adds each variable to `problems` whose name is nearly that of a variable of this program, unless
 * that one is set too.
 * @param referenced names that the file of LABLINK_CONFIG refers to
 */
export function rejectMisspelled(
  env: NodeJS.ProcessEnv,
  referenced: ReadonlySet<string>,
  problems: string[],
): void {
  const known = VARIABLES.flatMap(({ name, about }) =>
    about.secret ? [name, `${name}_FILE`] : [name],
  );
  for (const name of Object.keys(env).sort()) {
    if (!isSet(env, name) || known.includes(name) || OTHERS.has(name)) continue;
    // LABLINK_… is checked for itself.
    if (referenced.has(name) || name.startsWith('LABLINK_')) continue;
    const meant = findMeant(name, known);
    if (meant === undefined || isSet(env, meant) || isSet(env, meant.replace(/_FILE$/, '')))
      continue;
    problems.push(`${name} is not a variable of this program; the variable is called ${meant}`);
  }
}

function findMeant(name: string, known: readonly string[]): string | undefined {
  const alias = Object.entries(ALIASES).find(([, aliases]) => aliases.includes(name));
  if (alias !== undefined) return alias[0];
  return known.find((candidate) => isNear(name.toUpperCase(), candidate));
}

/**
 * Whether a typing error leads from one name to the other: a letter too many, missing or wrong, two
 * in the wrong order, or the case.
 */
function isNear(name: string, candidate: string): boolean {
  if (candidate.length < MIN_LENGTH) return false;
  if (name === candidate) return true;
  const start = countCommon(name, candidate, 0);
  const end = countCommon(name.slice(start), candidate.slice(start), -1);
  const left = name.slice(start, name.length - end);
  const right = candidate.slice(start, candidate.length - end);
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && right === `${left.charAt(1)}${left.charAt(0)}`;
}

/** Counts the characters that both have in common, from the start (0) or from the end (-1). */
function countCommon(a: string, b: string, from: 0 | -1): number {
  const most = Math.min(a.length, b.length);
  let count = 0;
  while (count < most) {
    const index = from === 0 ? count : -1 - count;
    if (a.at(index) !== b.at(index)) break;
    count++;
  }
  return count;
}
