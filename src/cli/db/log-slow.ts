// `db log-slow`: makes the server log slow queries, or stops that.

import type { Command } from 'commander';
import { planSlowLog } from '../../postgres/admin/slow-queries.js';
import { inTransaction } from '../../postgres/admin/session.js';
import { printLine } from '../print.js';
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
  return createSubcommand('log-slow', 'make the server log slow queries of this database')
    .option(
      '--ms <ms>',
      'the shortest time of a logged query',
      createIntegerParser(0, 2_147_483_647),
      1_000,
    )
    .option('--off', "return to the server's setting")
    .option(...DRY_RUN_OPTION)
    .action(async ({ ms, off, dryRun }: LogSlowOptions) => {
      await runOnDatabase('log-slow', async (session) => {
        const { statement, before } = await planSlowLog(session, off ? undefined : ms);
        // A dry run does the same, and rolls it back: the role may lack the right.
        await inTransaction(
          session,
          'BEGIN',
          () => session.query(statement),
          dryRun ? 'ROLLBACK' : 'COMMIT',
        );
        const verb = dryRun ? 'Would run ' : '';
        printLine(`${verb}${statement} (before: ${before}); for new sessions`);
      });
    });
}
