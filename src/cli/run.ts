// Loads the subcommand that is called, runs it, and ends with the exit code of its failure.

import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { wantsDetails } from '../config/load.js';
import { addExamples } from './examples.js';
import { ExitCode, selectExitCode, explainError } from './exit.js';
import { SUBCOMMANDS } from './subcommands.js';

/** Runs the command line of this process. Sets the exit code; never rejects. */
export async function runCommandLine(): Promise<void> {
  ignoreClosedStdout();
  silenceSslModes();
  try {
    const program = createProgram();
    for (const load of selectLoaders(process.argv.slice(2))) {
      const subcommand = await load();
      throwInsteadOfExit(subcommand);
      addExamples(subcommand);
      program.addCommand(subcommand);
    }
    await program.parseAsync();
  } catch (error) {
    // A person on a terminal reads a sentence; a log, and LOG_LEVEL=debug, have the stack.
    const details = !process.stderr.isTTY || wantsDetails();
    if (!(error instanceof CommanderError))
      process.stderr.write(`${explainError(error, details)}\n`);
    process.exitCode = selectExitCode(error);
  }
}

/**
 * A reader that has seen enough closes its end, as `head` does. The command goes on without it.
 * Some commands handle other errors themselves.
 */
function ignoreClosedStdout(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || process.stdout.listenerCount('error') > 1) return;
    process.stderr.write(`The output cannot be written: ${explainError(error, false)}\n`);
    process.exit(ExitCode.finding);
  });
}

/**
 * pg warns that a later version of itself will check less in some TLS modes. The documents say what
 * each mode checks here, and the warning would stand above the sentence of an error.
 */
function silenceSslModes(): void {
  const listeners = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.message.startsWith('SECURITY WARNING: The SSL modes')) return;
    for (const listener of listeners) listener(warning);
  });
}

function createProgram(): Command {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
  return new Command('lablink-gateway')
    .description('The realtime gateway between PostgreSQL and WebSockets.')
    .version(version, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .showHelpAfterError('Add --help to see what there is.')
    .exitOverride();
}

/** Without a subcommand at the front, as for help, all. */
function selectLoaders([name = '']: readonly string[]): (() => Promise<Command>)[] {
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  return subcommand === undefined ? Object.values(SUBCOMMANDS) : [subcommand];
}

/** A wrong command line ends with our exit code, and not with that of commander. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('Add --help to see what there is.');
  for (const subcommand of command.commands) throwInsteadOfExit(subcommand);
}
