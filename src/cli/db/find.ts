// `db find`: finds the VMs of a person. Exit code 1 if there are none.

import type { Command } from 'commander';
import { ExitCode } from '../exit.js';
import { JSON_OPTION, createSubcommand } from './subcommand.js';
import { COMMANDS_OPTION, printVms } from './vm-table.js';

interface FindOptions {
  readonly email: string;
  readonly commands?: boolean;
  readonly json?: boolean;
}

export function createFindCommand(): Command {
  return createSubcommand('find', 'find the VMs of a person; exit code 1 if there are none')
    .requiredOption('--email <email>', 'the address of the person')
    .option(...COMMANDS_OPTION)
    .option(...JSON_OPTION)
    .action(async ({ email, commands = false, json = false }: FindOptions) => {
      const found = await printVms({ status: undefined, email, commands }, json);
      process.exitCode = found > 0 ? ExitCode.ok : ExitCode.finding;
    });
}
