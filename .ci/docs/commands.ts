// The subcommands of `lablink-gateway` and their options, as their help has them.

import type { Command, Option } from 'commander';
import { SUBCOMMANDS } from '../../src/cli/subcommands.js';
import { code, table } from './table.js';

interface Named {
  readonly name: string;
  readonly command: Command;
}

/** Every subcommand that does something: a command with subcommands only if it has options. */
async function loadCommands(): Promise<Named[]> {
  const loaded = await Promise.all(Object.values(SUBCOMMANDS).map((load) => load()));
  return loaded.flatMap((command) => [
    ...(command.commands.length === 0 || command.options.length > 0
      ? [{ name: command.name(), command }]
      : []),
    ...command.commands.map((inner) => ({
      name: `${command.name()} ${inner.name()}`,
      command: inner,
    })),
  ]);
}

export async function commands(): Promise<string> {
  const loaded = await loadCommands();
  return table(
    ['command', 'what it does'],
    loaded.map(({ name, command }) => [code(usage(name, command)), command.description()]),
  );
}

/** The name with its arguments, and with the options that must be given. */
function usage(name: string, command: Command): string {
  const mandatory = command.options.filter((option) => option.mandatory);
  const parts = command.registeredArguments.map((argument) => {
    const text = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${text}>` : `[${text}]`;
  });
  return [name, ...mandatory.map((option) => option.flags), ...parts].join(' ');
}

export async function options(): Promise<string> {
  const loaded = await loadCommands();
  return table(
    ['command', 'option', 'default', 'meaning'],
    loaded.flatMap(({ name, command }) =>
      command.options.map((option, index) => [
        index === 0 ? code(name) : '',
        code(option.flags),
        defaultText(option),
        meaning(option),
      ]),
    ),
  );
}

function defaultText({ defaultValue }: Option): string {
  return defaultValue === undefined ? '' : code(String(defaultValue));
}

function meaning({ description, argChoices, mandatory }: Option): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.map(code).join(', ')}`;
  return `${description}${choices}${mandatory ? ' (required)' : ''}`;
}
