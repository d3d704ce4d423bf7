// `db doctor`: checks the database for known problems, and says what to do. Exit code 1 if it finds
// one.

import type { Command } from 'commander';
import { isLoopback } from '../../config/address.js';
import { loadConfig } from '../../config/load.js';
import { diagnose, type Diagnosis } from '../../postgres/admin/doctor/doctor.js';
import { findDatabase } from '../find-database.js';
import { ExitCode } from '../exit.js';
import { printJson, printLine } from './print.js';
import { JSON_OPTION, createSubcommand } from './subcommand.js';

export function createDoctorCommand(): Command {
  return createSubcommand('doctor', 'check for known problems; exit code 1 if there is one')
    .option(...JSON_OPTION)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const config = loadConfig();
      const connection = await findDatabase(config);
      const { host = 'localhost' } = connection;
      const diagnosis = await diagnose({
        connection,
        queries: config.database ?? connection,
        isRemote: !host.startsWith('/') && !isLoopback(host),
      });
      const isWell = diagnosis.findings.length === 0;
      if (json) printJson({ well: isWell, ...diagnosis });
      else print(diagnosis);
      process.exitCode = isWell ? ExitCode.ok : ExitCode.finding;
    });
}

function print({ findings, skipped }: Diagnosis): void {
  for (const { id, severity, explanation, remedy } of findings) {
    printLine(`${severity}: ${id}`);
    printLine(`  ${explanation}`);
    printLine(`  Remedy: ${remedy}`);
  }
  for (const { check, why } of skipped) printLine(`skipped: ${check} (${why})`);
  printLine(findings.length === 0 ? 'No problem was found.' : `Problems: ${findings.length}.`);
}
