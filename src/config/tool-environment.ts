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

/**
 * Variables that a program needs to find other programs, its user, its desktop, its language and
 * the network. None of them holds a secret of the agent.
 */
const FOR_COMMANDS =
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LANGUAGE|LC_[A-Z]+|DISPLAY|XAUTHORITY|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|SSL_CERT_FILE|SSL_CERT_DIR|(http|https|no|all)_proxy|(HTTP|HTTPS|NO|ALL)_PROXY)$/;

/** Copies the variables of `env` that commands of assignments may see, and those in `more`. */
export function selectCommandVariables(
  env: NodeJS.ProcessEnv,
  more: readonly string[],
): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => FOR_COMMANDS.test(name) || more.includes(name)),
  );
}
