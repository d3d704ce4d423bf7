// The environment for programs of others that a command starts: what they need of ours, and none of our secrets.

import { VARIABLES } from './variables.js';

/** libpq's own variables that choose no database: where passwords and certificates lie, and how psql behaves. */
const KEPT = /^(PGPASSFILE|PGSYSCONFDIR|PGLOCALEDIR|PG_COLOR)$/;

/**
 * What is left of `env` without the variables of this program and without those by which libpq would choose a database
 * of its own: who starts a program says which one it is to use.
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
