// `db vacuum`: removes dead rows and renews the planner's statistics.

import type { Command } from 'commander';
import { runStatements, buildVacuumStatements } from '../../postgres/admin/tables.js';
import { printLine, printInfo } from './print.js';
import { DRY_RUN_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

interface VacuumOptions {
  readonly full?: boolean;
  readonly dryRun?: boolean;
}

export function createVacuumCommand(): Command {
  return createSubcommand('vacuum', 'reclaim space, and renew statistics (VACUUM ANALYZE)')
    .option('--full', 'rewrite the tables; nobody can use one meanwhile, nor a gateway')
    .option(...DRY_RUN_OPTION)
    .action(async ({ full = false, dryRun }: VacuumOptions) => {
      if (full) {
        printInfo(
          'VACUUM FULL locks each table while it is written anew: requests wait, and gateways may fall into a gap until it is done.',
        );
      }
      await runOnDatabase('vacuum', async (session) => {
        const statements = await buildVacuumStatements(session, full);
        // The plain one disturbs nobody by waiting; the full one has everybody wait behind it.
        if (!dryRun) await runStatements(session, statements, full ? 'short' : 'unlimited');
        for (const statement of statements) printLine(statement);
      });
    });
}
