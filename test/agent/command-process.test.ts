// A command at its start barrier, and its input.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { launchCommand, SCRIPT } from '../../src/agent/command-process.js';
import { programCommand, shellCommand } from '../../src/agent/command-spec.js';
import { endGroup, isGroupAlive } from '../../src/processes/process-group.js';
import { temporaryFolder } from '../helpers/process.js';

const vm = {
  hostname: 'vm-1',
  assignment_id: 'a-1',
  email: 'a@b.c',
  crd_command: `echo "$0" > "$OUT"; exit 3`,
};

t.test('a command starts when the barrier opens, and not before', async (t) => {
  const folder = await temporaryFolder(t);
  const OUT = join(folder, 'out');
  const command = shellCommand({ OUT, PATH: process.env.PATH })(vm, '{}');
  const launched = await launchCommand(command, join(folder, 'scratch'));
  t.equal(await isGroupAlive(launched.leader ?? { pid: 0 }), true);
  t.same(await readdir(folder), [], 'it has not started, and no file is left');
  t.same(await launched.start(), { code: 3, signal: null });
  t.same(await readdir(folder), ['out']);
  t.equal(await isGroupAlive(launched.leader ?? { pid: 0 }), false);
});

t.test('a command that is killed at its barrier has run nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const OUT = join(folder, 'out');
  const launched = await launchCommand(shellCommand({ OUT })(vm, '{}'), join(folder, 'scratch'));
  await endGroup(launched.leader ?? { pid: 0 }, 60_000);
  t.same(await launched.start(), { code: null, signal: 'SIGTERM' });
  t.same(await readdir(folder), []);
});

t.test('a program receives its arguments unchanged, and the message on stdin', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'out');
  const args = ['-c', `{ printf '%s|' "$@"; cat; } > '${out}'`, 'sh', '$(x)', "it's", ''];
  const frame = `{"type":"assignment","vm":{"crd_command":"${'x'.repeat(200_000)}"}}`;
  const command = programCommand('/bin/sh', args, { PATH: process.env.PATH })(vm, frame);
  t.match(command.env, { LABLINK_CRD_COMMAND: vm.crd_command, LABLINK_EMAIL: 'a@b.c' });
  const { start } = await launchCommand(command, join(folder, 'scratch'));
  t.same(await start(), { code: 0, signal: null });
  t.ok((await readFile(out, 'utf8')) === `$(x)|it's||${frame}\n`);
});

t.test('a command that is too long for a variable or an argument is in a file', async (t) => {
  const folder = await temporaryFolder(t);
  const long = { ...vm, crd_command: `exit 4 # ${'x'.repeat(1024 * 1024)}` };
  const command = shellCommand({})(long, '{}');
  t.same(command.args, [SCRIPT]);
  t.notOk('LABLINK_CRD_COMMAND' in command.env);
  const { start } = await launchCommand(command, join(folder, 'scratch'));
  t.same(await start(), { code: 4, signal: null });
});

t.test('a missing program fails as in a shell', async (t) => {
  const command = programCommand('/nowhere/program', [], {})(vm, '{}');
  const { start } = await launchCommand(command, join(await temporaryFolder(t), 'scratch'));
  t.same(await start(), { code: 127, signal: null });
});
