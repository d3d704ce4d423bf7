// `db count`: counts the VMs of each status.

import type { Command } from 'commander';
import { countVms } from '../../postgres/admin/vm-lists.js';
import { printJson, printList } from '../print.js';
import { JSON_OPTION, runOnDatabase, createSubcommand } from './subcommand.js';

export function createCountCommand(): Command {
  return createSubcommand('count', 'count the VMs by status')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const counts = await runOnDatabase('count', countVms);
      // A status may have any name, even `__proto__`.
      if (json) printJson(Object.fromEntries(counts.map(({ status, count }) => [status, count])));
      else
        printList(
          ['status', 'count'],
          counts.map(({ status, count }) => [status, count]),
          'The table vms is empty.',
        );
    });
}
