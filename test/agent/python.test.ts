// The Python agent on a real gateway: it does the same as the other agent, with the same state
// file.

import { once } from 'node:events';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { run, runCommand, type Program } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
import { findPython } from './python.js';
import {
  agentFiles,
  assign,
  letEnd,
  countRuns,
  buildTracedCommand,
  untilEnded,
  untilRegistered,
  untilRuns,
  type AgentFiles,
} from './setup.js';

const python = findPython();
const skip = python === undefined && 'no Python with websockets';
const AGENT = resolve('deploy/agent/lablink_agent.py');
/** A program that runs the assigned command, which only a shell does. */
const SHELL = ['--exec', '/bin/sh', '-c', 'eval "$LABLINK_CRD_COMMAND"'];

t.test('the agent in Python', { skip }, async (t) => {
  const { createDatabase } = await startServer(t);
  const database = await createDatabase();
  const gateway = await startGateway(t, database);
  const folder = await scratchFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const startAgent = (t: Test, files: AgentFiles, ...args: string[]): Program =>
    run(t, python ?? '', [AGENT, ...files.args, ...args]);
  const readStatus = async (hostname: string) =>
    (
      await database.query<{ status: string }>('SELECT status FROM vms WHERE hostname = $1', [
        hostname,
      ])
    )[0]?.status;
  const untilReported = (id: string) =>
    until(`the end of ${id} is reported`, async () => {
      const [delivery] = await database.query<{ outcome: string | null }>(
        'SELECT outcome FROM vm_deliveries WHERE assignment_id = $1 AND acknowledged_at IS NOT NULL',
        [id],
      );
      return delivery?.outcome ?? undefined;
    });

  t.test('a program receives the whole assignment, and no shell interprets it', async (t) => {
    const files = await agentFiles(gateway, folder, 'vm-whole');
    const out = join(folder, 'whole');
    const program = [
      '--exec',
      '/bin/sh',
      '-c',
      `cat > '${out}'; env > '${out}.env'`,
      '--url',
      '$(x)',
    ];
    const agent = startAgent(t, files, ...program);
    await untilRegistered(database, 'vm-whole');
    for (const length of [0, 1024 * 1024]) {
      const command = `'"$(touch ${folder}/injected)\n\`é👩‍🔬\`${'x'.repeat(length)}`;
      const id = await assign(database, 'vm-whole', command);
      t.equal(await untilReported(id), 'succeeded');
      const message = JSON.parse(await readFile(out, 'utf8')) as { vm: { crd_command: string } };
      t.ok(message.vm.crd_command === command, 'whole');
      const env = await readFile(`${out}.env`, 'utf8');
      t.equal(env.includes('LABLINK_CRD_COMMAND='), length === 0);
      t.match(env, `LABLINK_ASSIGNMENT_ID=${id}`);
    }
    await t.rejects(readFile(join(folder, 'injected')));
    agent.child.kill('SIGTERM');
    t.match(await agent.exited, { code: 0 });
  });

  t.test('no command runs twice, and none beside another, whichever agent is killed', async (t) => {
    const files = await agentFiles(gateway, folder, 'vm-cut');
    let agent = startAgent(t, files, ...SHELL);
    await untilRegistered(database, 'vm-cut');
    const first = await assign(database, 'vm-cut', buildTracedCommand(files, 'first'));
    await untilRuns(folder, 'first');
    await database.query(`UPDATE vms SET updated_at = now(), created_at = now()`);
    const second = await assign(database, 'vm-cut', buildTracedCommand(files, 'second'));
    await untilRuns(folder, 'second');
    t.equal(await untilReported(first), 'stopped');
    agent.child.kill('SIGKILL');
    await once(agent.child, 'exit');
    agent = startAgent(t, files, ...SHELL);
    t.equal(await untilReported(second), 'interrupted');
    await until('the VM is failed', async () => (await readStatus('vm-cut')) === 'failed');
    const third = await assign(database, 'vm-cut', buildTracedCommand(files, 'third'));
    await letEnd(folder, 'third');
    t.equal(await untilReported(third), 'succeeded');
    for (const name of ['first', 'second', 'third'])
      t.equal(await countRuns(folder, name), 1, name);
    agent.child.kill('SIGTERM');
    t.match(await agent.exited, { code: 0 });

    // Each agent continues with the state file of the other.
    const other = runCommand(t, ['agent', ...files.args, '--shell'], {});
    await other.until(({ stderr }) => stderr.includes('live'));
    const fourth = await assign(database, 'vm-cut', buildTracedCommand(files, 'fourth'));
    await letEnd(folder, 'fourth');
    t.equal(await untilEnded(files, fourth), 'succeeded');
    other.child.kill('SIGTERM');
    await other.exited;
    agent = startAgent(t, files, ...SHELL);
    await agent.until(({ stderr }) => stderr.includes('live'));
    await database.query(`UPDATE vms SET status = 'available', email = NULL, crd_command = NULL`);
    agent.child.kill('SIGTERM');
    await agent.exited;
    for (const name of ['third', 'fourth']) t.equal(await countRuns(folder, name), 1, name);
  });

  t.test('each assignment is printed as one line', async (t) => {
    const files = await agentFiles(gateway, folder, 'vm-print');
    const types = ({ stdout }: Program): string[] =>
      stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { type: string }).type);
    let agent = startAgent(t, files);
    await untilRegistered(database, 'vm-print');
    await assign(database, 'vm-print', 'one');
    await agent.until((program) => types(program).includes('assignment'));
    t.same(types(agent).filter((type) => type === 'assignment').length, 1);
    agent.child.kill('SIGTERM');
    t.match(await agent.exited, { code: 0 });
    t.notMatch(agent.stderr, 'Other users may read');
    await chmod(join(folder, 'vm-print.token'), 0o644);
    agent = startAgent(t, files);
    await agent.until(({ stderr }) => stderr.includes('live'));
    t.match(agent.stderr, 'Other users may read the token file');
    await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-print'`);
    await agent.until((program) => types(program).includes('status'));
    t.same(types(agent), ['status']);
    await writeFile(`${files.stateFile}2`, '{"format":1,');
    const damaged = startAgent(t, files, '--state-file', `${files.stateFile}2`);
    t.match(await damaged.exited, { code: 2 });
    const newer = await gateway.connect('/v1/vms/vm-print', 'agent', 'vm-print');
    t.match(await agent.exited, { code: 2 }, 'a replaced agent does not reconnect');
    await newer.close();
  });
});
