// `db reindex`: rebuilds the indexes, while clients read and write.

import type { Command } from 'commander';
import { buildReindexStatements, runStatements } from '../../postgres/admin/tables.js';
import { printLine } from '../print.js';
import { DRY_RUN_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

export function createReindexCommand(): Command {
  return createSubcommand('reindex', 'rebuild the indexes, while clients read and write')
    .option(...DRY_RUN_OPTION)
    .action(async ({ dryRun }: { readonly dryRun?: boolean }) => {
      await runOnDatabase('reindex', async (session) => {
        const statements = await buildReindexStatements(session);
        if (!dryRun) {
          await runStatements(session, statements, 'unlimited', printLine);
          return;
        }
        for (const statement of statements) printLine(statement);
      });
    });
}
