#!/usr/bin/env node
// The command `lablink-gateway`: loads the subcommand that is called, runs it, and ends with the
// exit code of its failure.

import { Command, CommanderError } from 'commander';
import { selectExitCode, explainError } from './cli/exit.js';
import { SUBCOMMANDS } from './cli/subcommands.js';

/** Without one of them at the front, as for help, all. */
function called([name = '']: readonly string[]): (() => Promise<Command>)[] {
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  return subcommand === undefined ? Object.values(SUBCOMMANDS) : [subcommand];
}

const program = new Command('lablink-gateway')
  .description('The realtime gateway between PostgreSQL and WebSockets.')
  .enablePositionalOptions()
  .exitOverride();

try {
  for (const load of called(process.argv.slice(2))) program.addCommand(await load());
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`${explainError(error)}\n`);
  process.exitCode = selectExitCode(error);
}
