// `db log-slow`: has the server log queries that take long, or no longer.

import type { Command } from 'commander';
import { planSlowLog } from '../../postgres/admin/slow-queries.js';
import { printLine } from './print.js';
import {
  DRY_RUN_OPTION,
  createIntegerParser,
  runOnDatabase,
  createSubcommand,
} from './subcommand.js';

interface LogSlowOptions {
  readonly ms: number;
  readonly off?: boolean;
  readonly dryRun?: boolean;
}

export function createLogSlowCommand(): Command {
  return createSubcommand('log-slow', 'have the server log queries of this database that take long')
    .option('--ms <ms>', 'so long', createIntegerParser(0, 2_147_483_647), 1_000)
    .option('--off', 'back to what the server does otherwise')
    .option(...DRY_RUN_OPTION)
    .action(async ({ ms, off, dryRun }: LogSlowOptions) => {
      await runOnDatabase('log-slow', async (session) => {
        const { statement, before } = await planSlowLog(session, off ? undefined : ms);
        if (!dryRun) await session.query(statement);
        printLine(`${statement} (before: ${before}); for sessions that begin from now on`);
      });
    });
}
