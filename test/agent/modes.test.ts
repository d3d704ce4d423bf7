// The agent as a process on a real gateway, in each of its three modes: the commands that it runs,
// leaves alone and ends, and its reports.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { isAlive } from '../../src/processes/process-table.js';
import { startServer } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { runCommand, type Program } from '../helpers/process.js';
import { scratchFolder } from '../helpers/scratch-folder.js';
import { until } from '../helpers/until.js';
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

const { createDatabase } = await startServer(t);
const database = await createDatabase();
const gateway = await startGateway(t, database);
const folder = await scratchFolder();
t.teardown(() => rm(folder, { recursive: true, force: true }));

/** A command that a shell would change. */
const TRICKY = `it's "quoted" $(touch ${folder}/injected) \`touch ${folder}/injected\`; touch ${folder}/injected & | > \\ \n * ~ é👩‍🔬 %s`;

/** Variables of the agent; its command inherits only the last one, which --env names. */
const VARIABLES = { JWT_SECRET: 'x'.repeat(32), CREDENTIALS_DIRECTORY: '/run/c', WANTED: 'yes' };

const startAgent = (t: Test, files: AgentFiles, ...args: string[]): Program =>
  runCommand(t, ['agent', ...files.args, '--env', 'WANTED', ...args], VARIABLES);

const readRow = async (hostname: string) =>
  (
    await database.query<Record<string, unknown>>('SELECT * FROM vms WHERE hostname = $1', [
      hostname,
    ])
  )[0];

async function readDelivery(assignmentId: string) {
  const [delivery] = await database.query<{
    outcome: string | null;
    exit_code: number | null;
    signal: string | null;
  }>('SELECT outcome, exit_code, signal FROM vm_deliveries WHERE assignment_id = $1', [
    assignmentId,
  ]);
  return delivery;
}

const untilReported = (assignmentId: string) =>
  until(`the end of ${assignmentId} is reported`, async () => {
    const delivery = await readDelivery(assignmentId);
    return delivery?.outcome === null ? undefined : delivery;
  });

async function stop(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  await program.exited;
}

t.test('--exec passes the assignment on, and interprets no part of it', async (t) => {
  const files = await agentFiles(gateway, folder, 'vm-exec');
  const out = join(folder, 'exec');
  const script = `import { writeFileSync, readFileSync } from 'node:fs';
    const { env, argv, pid } = process;
    const out = ${JSON.stringify(out)};
    writeFileSync(out + '.' + env.LABLINK_ASSIGNMENT_ID, JSON.stringify({
      env: Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('LABLINK_'))),
      args: argv.slice(2), input: readFileSync(0, 'utf8') }));`;
  await writeFile(`${out}.mjs`, script);
  const agent = startAgent(t, files, '--exec', process.execPath, `${out}.mjs`, '--url', TRICKY);
  await untilRegistered(database, 'vm-exec');
  for (const command of [TRICKY, `${TRICKY}${'x'.repeat(1024 * 1024)}`]) {
    const id = await assign(database, 'vm-exec', command);
    t.match(await untilReported(id), { outcome: 'succeeded', exit_code: 0, signal: null });
    const seen = JSON.parse(await readFile(`${out}.${id}`, 'utf8')) as {
      env: Record<string, string>;
      args: string[];
      input: string;
    };
    t.same(seen.args, ['--url', TRICKY]);
    const whole = {
      LABLINK_ASSIGNMENT_ID: id,
      LABLINK_HOSTNAME: 'vm-exec',
      LABLINK_EMAIL: 'a@b.c',
    };
    const isShort = command.length < 100_000;
    t.same(seen.env, isShort ? { ...whole, LABLINK_CRD_COMMAND: command } : whole);
    const message = JSON.parse(seen.input) as { type: string; vm: { crd_command: string } };
    t.equal(message.type, 'assignment');
    t.ok(message.vm.crd_command === command, 'whole');
  }
  await t.rejects(stat(join(folder, 'injected')), 'no part of it was run');
  t.notMatch(agent.stderr, /quoted|a@b\.c/, 'nor logged');
  await stop(agent);
  const names = (await promisify(execFile)('ls', ['-A', folder])).stdout;
  t.notMatch(names, /\.command|\.new|\.lock/, 'nothing is left lying about');
});

t.test('--shell runs a command of any length, and reports how it ended', async (t) => {
  const files = await agentFiles(gateway, folder, 'vm-shell');
  const agent = startAgent(t, files, '--shell', '--fail-vm-on-error');
  await untilRegistered(database, 'vm-shell');
  const long = `test "$LABLINK_HOSTNAME" = vm-shell && exit 0 # ${'x'.repeat(1024 * 1024)}`;
  t.match(await untilReported(await assign(database, 'vm-shell', long)), { outcome: 'succeeded' });
  t.equal((await readRow('vm-shell'))?.status, 'in-use');
  const clean = 'test -n "$PATH" && test "$WANTED" = yes && ! env | grep -E "^(JWT_|CREDENTIALS)"';
  t.match(await untilReported(await assign(database, 'vm-shell', clean)), { outcome: 'succeeded' });
  const killed = await assign(database, 'vm-shell', 'kill -9 $$');
  t.match(await untilReported(killed), { outcome: 'failed', exit_code: null, signal: 'SIGKILL' });
  await until('its VM is failed', async () => (await readRow('vm-shell'))?.status === 'failed');
  const failed = await assign(database, 'vm-shell', 'exit 3');
  t.match(await untilReported(failed), { outcome: 'failed', exit_code: 3, signal: null });
  await stop(agent);
});

t.test('a change that is no new assignment leaves the command alone', async (t) => {
  await database.query(`ALTER TABLE vms ADD COLUMN note TEXT`);
  const files = await agentFiles(gateway, folder, 'vm-calm');
  const agent = startAgent(t, files, '--shell');
  await untilRegistered(database, 'vm-calm');
  const last = await assign(database, 'vm-calm', 'true');
  await untilReported(last);
  const id = await assign(database, 'vm-calm', buildTracedCommand(files, 'calm'));
  await untilRuns(folder, 'calm');
  const change = (what: string, hostname = 'vm-calm') =>
    database.query(`UPDATE vms SET ${what} WHERE hostname = $1`, [hostname]);
  await change(`note = 'a note'`);
  await change('updated_at = now()');
  await change(`hostname = 'vm-elsewhere'`);
  await change(`hostname = 'vm-calm'`, 'vm-elsewhere');
  const admin = await gateway.connect('/v1/vms/vm-calm', 'admin');
  const seen = await admin.nextMessage('assignment');
  t.match(seen, { vm: { assignment_id: id } });
  // Messages about an old assignment, and about none. They use another socket, which replaces the
  // agent's.
  const other = await gateway.connect('/v1/vms/vm-calm', 'agent', 'vm-calm');
  other.send({ type: 'status', status: 'failed', assignment_id: last });
  t.match(await other.nextMessage('error'), { code: 'stale_assignment' });
  await other.close();
  t.match(await readRow('vm-calm'), { status: 'in-use', assignment_id: id });
  t.equal(await countRuns(folder, 'calm'), 1);
  t.equal((await files.journal()).entries.at(-1)?.end, undefined, 'it still runs');
  await letEnd(folder, 'calm');
  t.equal(await untilEnded(files, id), 'succeeded');
  // A replaced agent ends once its command has ended, because a person must look at it.
  t.match(await agent.exited, { code: 2 });
  t.match(await untilReported(id), { outcome: 'succeeded' });
});

t.test('a newer assignment starts after all processes of the last one have ended', async (t) => {
  const files = await agentFiles(gateway, folder, 'vm-newer');
  const agent = startAgent(t, files, '--grace', '1', '--shell');
  await untilRegistered(database, 'vm-newer');
  const pids = join(folder, 'pids');
  const stubborn = `trap '' TERM; sleep 601 & echo $! $$ > '${pids}'; ${buildTracedCommand(files, 'stubborn')}`;
  const first = await assign(database, 'vm-newer', stubborn);
  await untilRuns(folder, 'stubborn');
  const group = (await readFile(pids, 'utf8')).trim().split(' ').map(Number);
  const lives = `grep -q 'State:[[:space:]]*[^ZX[:space:]]' /proc/$pid/status 2>/dev/null`;
  const check = `for pid in ${group.join(' ')}; do ${lives} && exit 9; done; exit 0`;
  const second = await assign(database, 'vm-newer', check);
  t.match(await untilReported(second), { outcome: 'succeeded' }, 'no process was left');
  t.match(await untilReported(first), { outcome: 'stopped' });

  const daemon = `sleep 602 & echo $! > '${pids}'`;
  const third = await assign(database, 'vm-newer', daemon);
  t.match(await untilReported(third), { outcome: 'succeeded' });
  const [pid = 0] = (await readFile(pids, 'utf8')).trim().split(' ').map(Number);
  t.equal(await isAlive(pid, undefined), true, 'its background process still runs');
  await database.query(
    `UPDATE vms SET status = 'available', email = NULL, crd_command = NULL WHERE hostname = 'vm-newer'`,
  );
  await until('the release ends it', async () => !(await isAlive(pid, undefined)));
  await stop(agent);
});

t.test('a stopped agent ends its command; a killed agent leaves it to the next one', async (t) => {
  const files = await agentFiles(gateway, folder, 'vm-cut');
  let agent = startAgent(t, files, '--shell');
  await untilRegistered(database, 'vm-cut');
  const first = await assign(database, 'vm-cut', buildTracedCommand(files, 'cut-1'));
  await untilRuns(folder, 'cut-1');
  await stop(agent);
  t.match(await untilReported(first), { outcome: 'interrupted' });
  await until('the VM is failed', async () => (await readRow('vm-cut'))?.status === 'failed');

  agent = startAgent(t, files, '--shell');
  const second = await assign(database, 'vm-cut', buildTracedCommand(files, 'cut-2'));
  await untilRuns(folder, 'cut-2');
  const leader = (await files.journal()).entries.at(-1)?.leader?.pid ?? 0;
  agent.child.kill('SIGKILL');
  t.equal(await isAlive(leader, undefined), true, 'the command has lost its agent');
  const next = startAgent(t, files, '--shell');
  t.match(await untilReported(second), { outcome: 'interrupted' });
  t.equal(await isAlive(leader, undefined), false, 'and the next agent ends it');

  const again = await assign(database, 'vm-cut', buildTracedCommand(files, 'cut-3'));
  await untilRuns(folder, 'cut-3');
  next.child.kill('SIGKILL');
  // The agent's output stays open, because the command inherited it.
  await once(next.child, 'exit');
  const repeating = startAgent(t, files, '--rerun-interrupted', '--shell');
  await until('it runs again', async () => (await countRuns(folder, 'cut-3')) === 2);
  await letEnd(folder, 'cut-3');
  t.match(await untilReported(again), { outcome: 'succeeded' });
  t.equal(await countRuns(folder, 'cut-1'), 1);
  t.equal(await countRuns(folder, 'cut-2'), 1);
  await stop(repeating);
});

t.test('each assignment is printed as one line, once, over restarts and repeats', async (t) => {
  const files = await agentFiles(gateway, folder, 'vm-print');
  let agent = startAgent(t, files);
  const types = ({ stdout }: Program): string[] =>
    stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { type: string }).type);
  await agent.until((program) => types(program).includes('status'));
  const id = await assign(database, 'vm-print', TRICKY);
  await agent.until((program) => types(program).includes('assignment'));
  t.same(types(agent), ['absent', 'status', 'assignment']);
  await database.query(
    `UPDATE vms SET updated_at = now(), created_at = now() WHERE hostname = 'vm-print'`,
  );
  await until('it is acknowledged', async () => {
    const [delivery] = await database.query<{ acknowledged_at: Date | null }>(
      'SELECT acknowledged_at FROM vm_deliveries WHERE assignment_id = $1',
      [id],
    );
    return delivery?.acknowledged_at !== null;
  });
  await stop(agent);
  agent = startAgent(t, files);
  await agent.until(({ stderr }) => stderr.includes('live'));
  await database.query(`UPDATE vms SET status = 'failed' WHERE hostname = 'vm-print'`);
  await agent.until((program) => types(program).includes('status'));
  t.same(types(agent), ['status'], 'the assignment was printed before');
  await stop(agent);
});

t.test(
  'two agents never share a state file, and a damaged one is not treated as empty',
  async (t) => {
    const files = await agentFiles(gateway, folder, 'vm-lock');
    const agent = startAgent(t, files);
    await agent.until(({ stderr }) => stderr.includes('live'));
    const second = startAgent(t, files);
    t.match(await second.exited, { code: 2 });
    t.match(second.stderr, /Another agent \(pid \d+\) uses the state file/);
    await stop(agent);
    for (const text of ['', '{"format":2,"entries":[]}']) {
      await writeFile(files.stateFile, text);
      const damaged = startAgent(t, files);
      t.match(await damaged.exited, { code: 2 }, text);
      t.match(damaged.stderr, /was not written by this agent/);
      t.equal(await readFile(files.stateFile, 'utf8'), text, 'and the file is unchanged');
    }
  },
);

t.test('a state file that cannot be written ends the agent before a command starts', async (t) => {
  const files = await agentFiles(gateway, folder, 'vm-full');
  const agent = startAgent(t, files, '--shell');
  await untilRegistered(database, 'vm-full');
  // The next draft of the file cannot be written.
  await mkdir(`${files.stateFile}.new`);
  await assign(database, 'vm-full', buildTracedCommand(files, 'full'));
  t.match(await agent.exited, { code: 1 });
  t.match(agent.stderr, /The state file .* cannot be written/);
  t.equal(await countRuns(folder, 'full'), 0);
});
