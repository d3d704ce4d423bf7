// The subcommand `completion`: prints the script with which a shell completes this program's
// commands, options and their values.

import { Argument, Command } from 'commander';
import { buildCompletion, SHELLS, type CompletionNode, type Shell } from './completion-scripts.js';

const PROGRAM = 'lablink-gateway';

/** @param loadCommands loads every subcommand of the program */
export function createCompletionCommand(loadCommands: () => Promise<readonly Command[]>): Command {
  return new Command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(async (shell: Shell) => {
      const children = (await loadCommands()).map(describeCommand);
      const root = { name: PROGRAM, description: '', options: [], children };
      process.stdout.write(buildCompletion(shell, PROGRAM, root));
    });
}

function describeCommand(command: Command): CompletionNode {
  return {
    name: command.name(),
    description: command.description(),
    options: [
      ...command.options.map(({ long, description, required, optional, argChoices = [] }) => ({
        flag: long ?? '',
        description,
        takesValue: required || optional,
        choices: argChoices,
      })),
      { flag: '--help', description: 'display help for command', takesValue: false, choices: [] },
    ],
    children: command.commands.map(describeCommand),
  };
}
