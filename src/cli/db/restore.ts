// `db restore`: replaces the VMs by those of a backup, while gateways run.

import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import { restore, type RestoreReport } from '../../postgres/admin/restore.js';
import { readSystemCode } from '../../processes/system-code.js';
import { UsageError } from '../exit.js';
import { formatCount, printJson, printLine } from '../print.js';
import {
  DRY_RUN_OPTION,
  JSON_OPTION,
  listenForInterrupt,
  resolveDatabase,
  createSubcommand,
} from './subcommand.js';

interface RestoreCommandOptions {
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createRestoreCommand(): Command {
  return createSubcommand('restore', 'restore the VMs of a backup (plain SQL of pg_dump)')
    .argument('<file>', 'the backup; compressed with gzip or not')
    .option('--replace', 'replace existing VMs')
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async (file: string, options: RestoreCommandOptions) => {
      const { replace = false, dryRun = false, json } = options;
      await access(file).catch((cause: unknown) => {
        const code = readSystemCode(cause) ?? String(cause);
        throw new UsageError(`The backup ${file} cannot be read (${code}).`, { cause });
      });
      const connection = await resolveDatabase();
      const signal = listenForInterrupt();
      const report = await restore({ connection, file, replace, dryRun, signal });
      if (json) printJson({ ...report, events: report.events ?? null, dry_run: dryRun });
      else print(report, dryRun);
    });
}

function print(report: RestoreReport, dryRun: boolean): void {
  const { vms, kept, removed, added, events, deliveries, enrolments, leftOut } = report;
  const verb = dryRun ? 'Would restore' : 'Restored';
  printLine(
    `${verb} ${formatCount(vms, 'VM')}: ${kept} unchanged, ${added} written, ${removed} existing removed.`,
  );
  const past = [
    formatCount(deliveries, 'delivery', 'deliveries'),
    formatCount(enrolments, 'enrolment'),
  ];
  if (events !== undefined) past.unshift(formatCount(events, 'event'));
  printLine(`Missing history added: ${past.join(', ')}.`);
  if (events === undefined) {
    printLine(
      'The audit of the backup was left out: this database has other events under the same numbers.',
    );
  }
  if (leftOut.length > 0) printLine(`Not restored: ${leftOut.join(', ')}.`);
}
