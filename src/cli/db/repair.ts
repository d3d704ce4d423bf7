// `db repair`: mends what `db doctor` finds and what can be mended without harm. The exit code is
// that of the doctor afterwards, or 2 if a right was missing.

import type { Command } from 'commander';
import { repair, type RepairReport } from '../../postgres/admin/repair.js';
import { ExitCode } from '../exit.js';
import { printJson, printLine } from '../print.js';
import { resolveDoctorOptions, selectDoctorCode } from './doctor.js';
import { DRY_RUN_OPTION, JSON_OPTION, createSubcommand } from './subcommand.js';

interface RepairOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function createRepairCommand(): Command {
  return createSubcommand('repair', 'mend what doctor finds and what can be mended without harm')
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(async ({ dryRun = false, json }: RepairOptions) => {
      const report = await repair(await resolveDoctorOptions(), dryRun);
      if (json) printJson({ dry_run: dryRun, ...report });
      else print(report, dryRun);
      process.exitCode = selectCode(report);
    });
}

function selectCode({ repairs, left }: RepairReport): ExitCode {
  if (repairs.some(({ failure }) => failure !== undefined)) return ExitCode.usage;
  return selectDoctorCode(left);
}

function print({ repairs, left }: RepairReport, dryRun: boolean): void {
  for (const { finding, failure } of repairs) {
    const outcome = dryRun ? 'would be mended' : failure === undefined ? 'mended' : 'not mended';
    printLine(`${finding.id}: ${outcome}${failure === undefined ? '' : `: ${failure}`}`);
    for (const statement of finding.statements ?? []) printLine(`  ${statement};`);
  }
  for (const { id, severity, remedy } of left) {
    printLine(`${severity}: ${id} is left. Remedy: ${remedy}`);
  }
  if (repairs.length === 0) printLine('Nothing can be mended by this command.');
}
