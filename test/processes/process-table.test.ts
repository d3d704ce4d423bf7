import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { birthMark, isAlive, isRunning, isServerOn } from '../../src/processes/process-table.js';
import { until } from '../helpers/until.js';

/** A process that does nothing, under the name that it is given. */
async function idler(t: Test, argv0: string): Promise<number> {
  const child = spawn('sleep', ['600'], { argv0 });
  t.teardown(() => child.kill());
  await once(child, 'spawn');
  if (child.pid === undefined) throw new TypeError('it did not start');
  return child.pid;
}

async function ended(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

async function tests(t: Test): Promise<void> {
  const pid = await idler(t, 'postgres: on /a/folder');
  const mark = await birthMark(pid);
  t.ok(mark);
  t.equal(await birthMark(pid), mark, 'a process keeps its mark');
  t.ok(isRunning(pid));
  t.equal(await isAlive(pid, mark), true);
  t.equal(await isAlive(pid, 'of another'), false);
  t.equal(await isAlive(pid, undefined), true, 'the pid alone is believed');
  t.equal(await isServerOn(pid, '/another/folder'), false);

  const gone = await ended();
  t.equal(await birthMark(gone), undefined);
  t.equal(await isAlive(gone, mark), false);
  t.equal(await isServerOn(gone, '/a/folder'), false);
}

t.test('what this system says of processes', tests);

t.test('what a system without /proc says of processes', async (t) => {
  const platform = process.platform;
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  t.teardown(() => Object.defineProperty(process, 'platform', { value: platform }));
  await tests(t);
  t.equal(await isServerOn(await idler(t, 'postgres -D /a/folder'), '/a/folder'), true);
});

t.test('a dead process that nobody reaped is dead', async (t) => {
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
  await until('it is dead', async () => !(await isAlive(pid, undefined)));
  t.ok(isRunning(pid), 'though its pid is still taken');
});
