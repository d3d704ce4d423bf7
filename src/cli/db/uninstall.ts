// `db uninstall`: gives back the guide's schema, after a backup of everything.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { createToolEnvironment } from '../../config/load.js';
import { backUp } from '../../postgres/admin/backup.js';
import { withSession } from '../../postgres/admin/session.js';
import { uninstall } from '../../postgres/admin/uninstall.js';
import { UsageError } from '../exit.js';
import { formatCount, printLine } from '../print.js';
import {
  DRY_RUN_OPTION,
  createSubcommand,
  listenForInterrupt,
  resolveDatabase,
} from './subcommand.js';

interface UninstallOptions {
  readonly dir: string;
  readonly confirm?: string;
  readonly dryRun?: boolean;
}

export function createUninstallCommand(): Command {
  return createSubcommand('uninstall', "give back the guide's schema; the rows of vms stay")
    .option('--confirm <database>', 'the name of the database')
    .option('--dir <folder>', 'the folder of the backup that is made before', 'backups')
    .option(...DRY_RUN_OPTION)
    .action(async ({ dir, confirm, dryRun = false }: UninstallOptions) => {
      const connection = await resolveDatabase();
      const signal = listenForInterrupt();
      if (!dryRun) {
        requireConfirmation(confirm, connection.database);
        const { file } = await backUp({
          ...{ connection, signal, folder: resolve(dir), environment: createToolEnvironment() },
          ...{ keepDays: 36_500, gzip: false, verify: false, uploadCommand: undefined },
          now: new Date(),
        });
        printLine(`Everything is in ${file}.`);
      }
      const { statements, vms } = await withSession(
        connection,
        'uninstall',
        (session) => uninstall(session, dryRun),
        signal,
      );
      for (const statement of statements) printLine(statement.replaceAll(/\s*\n\s*/g, ' '));
      printLine(
        `${dryRun ? 'Would give' : 'Gave'} back the guide's schema; ${formatCount(vms, 'VM')} stay.`,
      );
    });
}

function requireConfirmation(confirm: string | undefined, database: string | undefined): void {
  if (confirm !== undefined && confirm === database) return;
  throw new UsageError(
    `Nothing was changed. To remove the gateway's tables, triggers and columns: db uninstall --confirm ${database ?? ''}`,
  );
}
