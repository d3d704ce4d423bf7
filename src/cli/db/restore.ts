// `db restore`: the VMs become those of a backup, under the eyes of running gateways.

import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import { restore, type RestoreReport } from '../../postgres/admin/restore.js';
import { UsageError } from '../exit.js';
import { formatCount, printJson, printLine } from './print.js';
import { DRY_RUN_OPTION, JSON_OPTION, resolveDatabase, createSubcommand } from './subcommand.js';

interface RestoreCommandOptions {
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createRestoreCommand(): Command {
  return createSubcommand('restore', 'bring back the VMs of a backup (plain SQL of pg_dump)')
    .argument('<file>', 'the backup; compressed with gzip or not')
    .option('--replace', 'put them in the place of VMs that are there')
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async (file: string, options: RestoreCommandOptions) => {
      const { replace = false, dryRun = false, json } = options;
      await access(file).catch((cause: unknown) => {
        throw new UsageError(`${file} cannot be read.`, { cause });
      });
      const connection = await resolveDatabase();
      const report = await restore({ connection, file, replace, dryRun });
      if (json) printJson({ ...report, events: report.events ?? null, dry_run: dryRun });
      else print(report, dryRun);
    });
}

function print(report: RestoreReport, dryRun: boolean): void {
  const { vms, kept, removed, added, events, deliveries, enrolments, leftOut } = report;
  const verb = dryRun ? 'Would restore' : 'Restored';
  printLine(
    `${verb} ${formatCount(vms, 'VM')}: ${kept} as they are, ${added} written, ${removed} that were there removed.`,
  );
  const past = [
    formatCount(deliveries, 'delivery', 'deliveries'),
    formatCount(enrolments, 'enrolment'),
  ];
  if (events !== undefined) past.unshift(formatCount(events, 'event'));
  printLine(`Of the past, what was missing: ${past.join(', ')}.`);
  if (events === undefined) {
    printLine(
      'The audit of the backup is left out: this database has events of its own under the same numbers.',
    );
  }
  if (leftOut.length > 0) printLine(`Left as they are: ${leftOut.join(', ')}.`);
}
