import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { findParentDeathWrapper } from '../../../src/postgres/embedded/parent-death-signal.js';
import { isRunning } from '../../../src/processes/process-table.js';
import { dataFolder, program, query, serverPid, start, until } from './support.js';

t.test('a server ends when the process that started it is killed', async (t) => {
  const dataDir = await dataFolder(t);
  const gateway = program(t, 'serve', [dataDir]);
  await gateway.next();
  const pid = await serverPid(dataDir);
  t.ok(isRunning(pid));
  t.not(await groupOf(pid), await groupOf(gateway.child.pid), 'Ctrl-C does not reach the server');
  gateway.child.kill('SIGKILL');
  await until(() => !isRunning(pid));

  const log = await readFile(`${dataDir}/postgres.log`, 'utf8');
  t.match(log, /received fast shutdown request[^]*database system is shut down/);
});

/** The process group, field 5 of proc(5)'s stat. */
async function groupOf(pid: number | undefined): Promise<string | undefined> {
  return (await readFile(`/proc/${pid ?? 0}/stat`, 'utf8')).split(' ')[4];
}

t.test('the next gateway starts at once after a killed one', async (t) => {
  const dataDir = await dataFolder(t);
  const gateway = program(t, 'serve', [dataDir]);
  await gateway.next();
  gateway.child.kill('SIGKILL');
  const { connection } = await start(t, { dataDir });
  t.same(await query(connection, 'SELECT 1 AS one'), [{ one: 1 }]);
});

t.test('a watchdog replaces the signal of the kernel', async (t) => {
  const parent = program(t, 'watched', []);
  const pid = Number(await parent.next());
  t.teardown(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  t.ok(isRunning(pid));
  parent.child.kill('SIGKILL');
  await until(() => !isRunning(pid));
  t.pass('the server got SIGINT');
});

t.test('the watchdog ends with the server', async (t) => {
  const parent = program(t, 'watched', []);
  process.kill(Number(await parent.next()), 'SIGKILL');
  t.same(await parent.next(), 'children: 0');
});

t.test('the wrapper replaces itself by the program', async (t) => {
  const wrapper = await findParentDeathWrapper();
  if (wrapper === undefined) {
    t.comment('setpriv is not installed');
    return;
  }
  const child = spawn(wrapper.program, [...wrapper.args, 'sh', '-c', 'echo $$; exec sleep 600']);
  t.teardown(() => child.kill('SIGKILL'));
  for await (const said of child.stdout) {
    t.equal(Number(said), child.pid);
    child.kill('SIGKILL');
  }
});
