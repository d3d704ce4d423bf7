import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import {
  readProcessStart,
  isAlive,
  isRunning,
  isServerOn,
} from '../../src/processes/process-table.js';
import { until } from '../helpers/until.js';

/** Starts a process that does nothing, under this name. */
async function startIdle(t: Test, argv0: string): Promise<number> {
  const child = spawn('sleep', ['600'], { argv0 });
  t.teardown(() => child.kill());
  await once(child, 'spawn');
  if (child.pid === undefined) throw new TypeError('it did not start');
  return child.pid;
}

async function runToEnd(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

async function testProcess(t: Test): Promise<void> {
  const pid = await startIdle(t, 'postgres: on /a/folder');
  const start = await readProcessStart(pid);
  t.ok(start);
  t.equal(await readProcessStart(pid), start, 'the start of a process stays the same');
  t.ok(isRunning(pid));
  t.equal(await isAlive(pid, start), true);
  t.equal(await isAlive(pid, 'another start'), false);
  t.equal(await isAlive(pid, undefined), true, 'without a start the pid decides');
  t.equal(await isServerOn(pid, '/another/folder'), false);

  const gone = await runToEnd();
  t.equal(await readProcessStart(gone), undefined);
  t.equal(await isAlive(gone, start), false);
  t.equal(await isServerOn(gone, '/a/folder'), false);
}

t.test('the process table of this system', testProcess);

t.test('the process table of a system without /proc', async (t) => {
  const platform = process.platform;
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  t.teardown(() => Object.defineProperty(process, 'platform', { value: platform }));
  await testProcess(t);
  t.equal(await isServerOn(await startIdle(t, 'postgres -D /a/folder'), '/a/folder'), true);
});

t.test('a zombie is not alive', async (t) => {
  // The shell becomes a program that never waits for the child it inherits.
  const parent = spawn('/bin/sh', ['-c', 'sleep 600 & echo $!; exec sleep 601']);
  t.teardown(() => parent.kill());
  const pid = Number((await once(parent.stdout, 'data')).at(0));
  await until(
    'it is sleep',
    async () => (await readFile(`/proc/${parent.pid}/comm`, 'utf8')) === 'sleep\n',
  );
  t.equal(await isAlive(pid, undefined), true);
  process.kill(pid, 'SIGKILL');
  await until('it is a zombie', async () => !(await isAlive(pid, undefined)));
  t.ok(isRunning(pid), 'although its pid is still taken');
});
