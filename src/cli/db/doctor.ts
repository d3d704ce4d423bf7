// `db doctor`: checks the database for known problems, and says what to do. The exit code is 1 for
// warnings, and 5 for an error.

import type { Command } from 'commander';
import { isLoopback } from '../../config/address.js';
import { loadConfig } from '../../config/load.js';
import {
  diagnose,
  type Diagnosis,
  type DoctorOptions,
  type Finding,
} from '../../postgres/admin/doctor/doctor.js';
import { findDatabase } from '../find-database.js';
import { ExitCode } from '../exit.js';
import { formatCount, formatSeconds, printInfo, printJson, printLine } from '../print.js';
import { formatAddress } from '../wait-for-database.js';
import { JSON_OPTION, createSubcommand, listenForInterrupt } from './subcommand.js';

export function createDoctorCommand(): Command {
  return createSubcommand(
    'doctor',
    'check for known problems; exit code 1 for warnings, 5 for an error',
  )
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const options = await resolveDoctorOptions();
      printInfo(`Checking ${formatAddress(options.connection)}.`);
      const beganMs = performance.now();
      const diagnosis = await diagnose(options);
      const isWell = diagnosis.findings.length === 0;
      if (json) printJson({ well: isWell, ...diagnosis });
      else print(diagnosis, performance.now() - beganMs);
      process.exitCode = selectDoctorCode(diagnosis.findings);
    });
}

/** Resolves the configured database, and what the checks have to know about it. */
export async function resolveDoctorOptions(): Promise<DoctorOptions> {
  const config = loadConfig();
  const connection = await findDatabase(config);
  const { host = 'localhost' } = connection;
  return {
    connection,
    queries: config.database ?? connection,
    isRemote: !host.startsWith('/') && !isLoopback(host),
    auditDays: config.auditDays,
    signal: listenForInterrupt(),
  };
}

/** Selects the exit code by the worst finding. */
export function selectDoctorCode(findings: readonly Finding[]): ExitCode {
  if (findings.some(({ severity }) => severity === 'error')) return ExitCode.error;
  return findings.length === 0 ? ExitCode.ok : ExitCode.finding;
}

/** The text of a function stands in full in `db repair --dry-run`. */
const shorten = (statement: string): string => statement.replace(/\n[\s\S]*/, ' …');

function print({ findings, passed, skipped }: Diagnosis, ms: number): void {
  for (const { id, severity, explanation, remedy, statements = [] } of findings) {
    printLine(`${severity}: ${id}`);
    printLine(`  ${explanation}`);
    printLine(`  Remedy: ${remedy}`);
    if (statements.length > 0) printLine('  "lablink-gateway db repair" mends it by:');
    for (const statement of statements) printLine(`    ${shorten(statement)};`);
  }
  if (passed.length > 0) printLine(`passed: ${passed.join(', ')}`);
  for (const { check, why } of skipped) printLine(`skipped: ${check} (${why})`);
  printInfo(`${formatCount(passed.length, 'check')} passed, in ${formatSeconds(ms / 1_000)}.`);
  printLine(findings.length === 0 ? 'No problem was found.' : `Problems: ${findings.length}.`);
}
