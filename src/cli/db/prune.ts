// `db prune`: removes old rows of the audit, of deliveries and of presence.

import type { Command } from 'commander';
import { countOldEvents, pruneAll } from '../../postgres/admin/prune.js';
import { formatCount, printJson, printLine } from '../print.js';
import {
  DRY_RUN_OPTION,
  createIntegerParser,
  JSON_OPTION,
  runOnDatabase,
  createSubcommand,
} from './subcommand.js';

interface PruneOptions {
  readonly days: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createPruneCommand(): Command {
  return createSubcommand('prune', 'remove old rows of the audit, deliveries and presence')
    .option('--days <days>', 'keep the rows of so many days', createIntegerParser(1, 36_500), 90)
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async ({ days, dryRun, json }: PruneOptions) => {
      if (dryRun) {
        const count = await runOnDatabase('prune', (session) => countOldEvents(session, days));
        if (json) printJson({ vm_events: count, dry_run: true });
        else printLine(`Would remove ${formatCount(count, 'event')}.`);
        return;
      }
      const removed = await runOnDatabase('prune', (session) => pruneAll(session, days));
      if (json) printJson(removed);
      else {
        printLine(
          `Removed ${formatCount(removed.vm_events, 'event')}, ${formatCount(removed.vm_deliveries, 'delivery', 'deliveries')}, ` +
            `${formatCount(removed.vm_presence, 'row')} of presence.`,
        );
      }
    });
}
