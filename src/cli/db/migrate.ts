// `db migrate`: migrates the schema, and reports what was applied.

import type { Command } from 'commander';
import { migrateInterruptibly } from '../../postgres/admin/migrate-interruptibly.js';
import { readSchemaStatus } from '../../postgres/migrations/migrate.js';
import { printJson } from '../print.js';
import {
  DRY_RUN_OPTION,
  listenForInterrupt,
  resolveDatabase,
  createSubcommand,
} from './subcommand.js';

export function createMigrateCommand(): Command {
  return createSubcommand('migrate', 'migrate the schema')
    .option(...DRY_RUN_OPTION)
    .action(async ({ dryRun }: { readonly dryRun?: boolean }) => {
      const connection = await resolveDatabase();
      if (!dryRun) {
        printJson(await migrateInterruptibly(connection, 'apply', listenForInterrupt()));
        return;
      }
      const { pending, problem } = await readSchemaStatus(connection);
      if (problem !== undefined) throw problem;
      printJson({ pending });
    });
}
