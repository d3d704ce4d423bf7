// Creates the environment for other programs that a command starts. It never contains the gateway's
// secrets.

import { VARIABLES } from './variables.js';

/**
 * Variables of libpq that do not choose a database: the paths of passwords and certificates, and
 * the behaviour of psql.
 */
const KEPT = /^(PGPASSFILE|PGSYSCONFDIR|PGLOCALEDIR|PG_COLOR)$/;

/**
 * Copies `env` without the variables of the gateway and without those that choose a database for
 * libpq. The caller names the database explicitly.
 */
export function removeOwnVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = new Set(VARIABLES.map(({ name }) => name));
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => {
      if (ours.has(name) || name.startsWith('LABLINK_')) return false;
      return !name.startsWith('PG') || KEPT.test(name);
    }),
  );
}
