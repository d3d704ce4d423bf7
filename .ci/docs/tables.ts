// Every generated table by its name in the markers.

import { commands, options } from './commands.js';
import { dependencies } from './dependencies.js';
import { limits } from './limits.js';
import { metrics } from './metrics.js';
import * as protocol from './protocol.js';
import { permissions } from './permissions.js';
import { problems } from './problems.js';
import { routes } from './routes.js';
import { variables } from './variables.js';

const TABLES: Readonly<Record<string, () => string | Promise<string>>> = {
  variables,
  metrics,
  problems,
  permissions,
  limits,
  routes,
  'close-codes': protocol.closeCodes,
  'server-messages': protocol.serverMessages,
  changes: protocol.changes,
  'error-codes': protocol.errorCodes,
  'client-messages': protocol.clientMessages,
  row: protocol.row,
  presence: protocol.presence,
  delivery: protocol.delivery,
  outcomes: protocol.outcomes,
  commands,
  options,
  'runtime-dependencies': () => dependencies('runtime'),
  'dashboard-dependencies': () => dependencies('dashboard'),
  'development-dependencies': () => dependencies('development'),
};

/** @throws Error for a name that no table has. */
export async function generateTable(name: string): Promise<string> {
  const generate = TABLES[name];
  if (generate === undefined) throw new Error(`no table is called ${name}`);
  return generate();
}
