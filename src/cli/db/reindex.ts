// `db reindex`: builds the indexes anew, while everybody goes on.

import type { Command } from 'commander';
import { buildReindexStatements, runStatements } from '../../postgres/admin/tables.js';
import { printLine } from './print.js';
import { DRY_RUN_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

export function createReindexCommand(): Command {
  return createSubcommand('reindex', 'build the indexes anew, without locking anybody out')
    .option(...DRY_RUN_OPTION)
    .action(async ({ dryRun }: { readonly dryRun?: boolean }) => {
      await runOnDatabase('reindex', async (session) => {
        const statements = await buildReindexStatements(session);
        if (!dryRun) await runStatements(session, statements, 'unlimited');
        for (const statement of statements) printLine(statement);
      });
    });
}
