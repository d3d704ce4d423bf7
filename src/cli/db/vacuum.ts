// `db vacuum`: removes dead rows and renews the planner's statistics.

import type { Command } from 'commander';
import { runStatements, buildVacuumStatements } from '../../postgres/admin/tables.js';
import { printLine, printInfo } from '../print.js';
import { DRY_RUN_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

interface VacuumOptions {
  readonly full?: boolean;
  readonly dryRun?: boolean;
}

export function createVacuumCommand(): Command {
  return createSubcommand('vacuum', 'reclaim space, and renew statistics (VACUUM ANALYZE)')
    .option('--full', 'rewrite the tables; each is locked meanwhile, for gateways too')
    .option(...DRY_RUN_OPTION)
    .action(async ({ full = false, dryRun }: VacuumOptions) => {
      if (full) {
        printInfo(
          'VACUUM FULL locks each table while it is rewritten: requests wait, and the feed of gateways may go stale.',
        );
      }
      await runOnDatabase('vacuum', async (session) => {
        const statements = await buildVacuumStatements(session, full);
        // While a plain VACUUM waits, other sessions pass; behind VACUUM FULL they queue.
        if (!dryRun) {
          await runStatements(session, statements, full ? 'short' : 'unlimited', printLine);
          return;
        }
        for (const statement of statements) printLine(statement);
      });
    });
}
