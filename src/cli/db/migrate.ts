// `db migrate`: migrates the schema, and reports what was applied.

import type { Command } from 'commander';
import { migrateInterruptibly } from '../../postgres/admin/migrate-interruptibly.js';
import { readSchemaStatus } from '../../postgres/migrations/migrate.js';
import { formatCount, formatSeconds, printInfo, printJson } from '../print.js';
import { formatAddress } from '../wait-for-database.js';
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
      const address = formatAddress(connection);
      if (!dryRun) {
        const beganMs = performance.now();
        const report = await migrateInterruptibly(connection, 'apply', listenForInterrupt());
        printJson(report);
        const count = report.applied.length;
        const took = formatSeconds((performance.now() - beganMs) / 1_000);
        printInfo(
          count === 0
            ? `${address}: the schema is current, nothing was applied.`
            : `${address}: applied ${formatCount(count, 'migration')} in ${took}.`,
        );
        return;
      }
      const { pending, problem } = await readSchemaStatus(connection);
      if (problem !== undefined) throw problem;
      printJson({ pending });
      if (pending.length === 0) printInfo(`${address}: the schema is current.`);
      else printInfo(`${address}: would apply ${formatCount(pending.length, 'migration')}.`);
    });
}
