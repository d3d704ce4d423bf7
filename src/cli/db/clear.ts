// `db clear`: removes all VMs, only for whoever says how many there are.

import type { Command } from 'commander';
import { clearVms } from '../../postgres/admin/clear.js';
import { UsageError } from '../exit.js';
import { counted, printLine } from './print.js';
import { DRY_RUN_OPTION, integer, onDatabase, subcommand } from './subcommand.js';

interface ClearOptions {
  readonly confirm?: number;
  readonly dryRun?: boolean;
}

export function clearCommand(): Command {
  return subcommand('clear', 'remove all VMs (TRUNCATE); their number is the confirmation')
    .option('--confirm <count>', 'how many VMs there are', integer(0, 2_147_483_647))
    .option(...DRY_RUN_OPTION)
    .action(async ({ confirm, dryRun }: ClearOptions) => {
      const expected = dryRun === true ? undefined : confirm;
      const count = await onDatabase('clear', (session) => clearVms(session, expected));
      if (dryRun) printLine(`Would remove ${counted(count, 'VM')}.`);
      else if (count === expected) printLine(`Removed ${counted(count, 'VM')}.`);
      else throw refusal(count, confirm);
    });
}

function refusal(count: number, confirm: number | undefined): UsageError {
  const why = confirm === undefined ? '' : `, not ${confirm}`;
  return new UsageError(
    `There are ${count} VMs${why}; nothing was removed. To remove them: db clear --confirm ${count}`,
  );
}
