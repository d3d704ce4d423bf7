// psql for a person, on the terminal of the command that starts it.

import type pg from 'pg';
import { withLibpqEnvironment } from './libpq.js';
import { attachTool, findTools, listToolFolders } from './tools.js';
import { MaintenanceError } from './maintenance-error.js';

/**
 * Runs psql of any version to its end. Statements that are piped into it end at the first error,
 * because psql would otherwise go on and report success.
 *
 * @returns its exit code, or undefined if it is not installed.
 */
export async function openPsql(
  connection: pg.ClientConfig,
  environment: NodeJS.ProcessEnv,
): Promise<number | undefined> {
  try {
    const args = process.stdin.isTTY ? [] : ['--set=ON_ERROR_STOP=1'];
    const tools = await findTools(['psql'], 0, listToolFolders(environment));
    return await withLibpqEnvironment(connection, environment, (variables) =>
      attachTool(tools, 'psql', args, variables),
    );
  } catch (error) {
    if (error instanceof MaintenanceError && error.code === 'tools') return undefined;
    throw error;
  }
}
