// Completion of bash, zsh and fish, and the examples in the help: both come from the commands.

import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Command } from 'commander';
import { createCompletionCommand } from '../../src/cli/completion.js';
import { addExamples, EXAMPLES } from '../../src/cli/examples.js';
import { SUBCOMMANDS } from '../../src/cli/subcommands.js';
import { runInProcess } from '../helpers/db-command.js';
import { temporaryFolder } from '../helpers/process.js';

const loadAll = () => Promise.all(Object.values(SUBCOMMANDS).map((load) => load()));

const write = async (shell: string) =>
  (await runInProcess(createCompletionCommand(loadAll), [shell], {})).stdout;

const isMissing = (shell: string): string | false =>
  spawnSync(shell, ['-c', 'true']).error ? `${shell} is not installed` : false;

/** What bash offers for a command line whose last word the cursor is on. */
function completeInBash(script: string, ...words: string[]): string[] {
  const program = `${script}
    COMP_WORDS=(lablink-gateway ${words.map((word) => `'${word}'`).join(' ')})
    COMP_CWORD=${words.length}; _lablink_gateway; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', program], { encoding: 'utf8' });
  t.equal(stderr, '');
  return stdout.trim().split('\n');
}

t.test('bash completes commands, subcommands, options and their values', async (t) => {
  const script = await write('bash');
  t.equal(spawnSync('bash', ['-n'], { input: script }).status, 0);
  t.same(completeInBash(script, 'as'), ['assign', 'asyncapi']);
  t.same(completeInBash(script, 'db', 'ba'), ['backup']);
  t.same(completeInBash(script, 'db', 'backup', '--g'), ['--gzip']);
  t.same(completeInBash(script, 'token', '--role', 'a'), ['agent', 'admin']);
  t.same(completeInBash(script, 'token', '--role', 'agent', 'ins'), ['inspect']);
  t.ok(completeInBash(script, 'loadtest', '--html', 'packa').includes('package.json'));
});

for (const shell of ['zsh', 'fish']) {
  t.test(`${shell} accepts its script`, { skip: isMissing(shell) }, async (t) => {
    const file = join(await temporaryFolder(t), 'script');
    await writeFile(file, await write(shell));
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    t.same([status, stderr], [0, '']);
  });
}

t.test('fish completes', { skip: isMissing('fish') }, async (t) => {
  const file = join(await temporaryFolder(t), 'script');
  await writeFile(file, await write('fish'));
  const { stdout } = spawnSync(
    'fish',
    ['--no-config', '-c', `source ${file}; complete -C 'lablink-gateway db ba'`],
    { encoding: 'utf8' },
  );
  t.match(stdout, /^backup\twrite the whole database/m);
});

/** Every command that does something, by its name. */
async function listCommands(): Promise<[string, Command][]> {
  const walk = (command: Command, path: string): [string, Command][] => [
    ...(command.commands.length > 0 && command.options.length === 0
      ? []
      : [[path, command] as [string, Command]]),
    ...command.commands.flatMap((inner) => walk(inner, `${path} ${inner.name()}`)),
  ];
  return (await loadAll()).flatMap((command) => walk(command, command.name()));
}

t.test('every command has an example, with options that exist', async (t) => {
  const commands = await listCommands();
  t.same(Object.keys(EXAMPLES).sort(), commands.map(([name]) => name).sort());
  for (const [name, command] of commands) {
    for (const example of EXAMPLES[name] ?? []) {
      const words = example.slice(name.length).split(/ [>] /)[0]?.trim().split(/\s+/) ?? [];
      const { unknown } = command.parseOptions(words.filter((word) => word !== ''));
      t.same(unknown, [], example);
    }
  }
});

t.test('the help shows the examples', async (t) => {
  for (const command of await loadAll()) {
    if (command.name() !== 'token') continue;
    let help = '';
    addExamples(command);
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    t.match(help, /Examples:\n {2}lablink-gateway token --role agent --hostname vm-1\n/);
  }
});
