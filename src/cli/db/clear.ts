// `db clear`: removes all VMs, if the user confirms their number.

import type { Command } from 'commander';
import { removeAllVms } from '../../postgres/admin/clear.js';
import { UsageError } from '../exit.js';
import { formatCount, printLine } from '../print.js';
import {
  DRY_RUN_OPTION,
  createIntegerParser,
  runOnDatabase,
  createSubcommand,
} from './subcommand.js';

interface ClearOptions {
  readonly confirm?: number;
  readonly dryRun?: boolean;
}

export function createClearCommand(): Command {
  return createSubcommand('clear', 'remove all VMs (TRUNCATE); their number is the confirmation')
    .option('--confirm <count>', 'how many VMs there are', createIntegerParser(0, 2_147_483_647))
    .option(...DRY_RUN_OPTION)
    .action(async ({ confirm: expected, dryRun = false }: ClearOptions) => {
      const count = await runOnDatabase('clear', (session) =>
        removeAllVms(session, { expected, dryRun }),
      );
      if (dryRun && (expected ?? count) === count)
        printLine(`Would remove ${formatCount(count, 'VM')}.`);
      else if (count === expected) printLine(`Removed ${formatCount(count, 'VM')}.`);
      else throw createRefusal(count, expected);
    });
}

function createRefusal(count: number, confirm: number | undefined): UsageError {
  const why = confirm === undefined ? '' : `, not ${confirm}`;
  return new UsageError(
    `There ${count === 1 ? 'is 1 VM' : `are ${count} VMs`}${why}; nothing was removed. To remove them: db clear --confirm ${count}`,
  );
}
