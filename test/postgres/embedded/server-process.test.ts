import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mock } from 'node:test';
import t from 'tap';
import { superviseProcess } from '../../../src/postgres/embedded/server-process.js';

const log = { tail: () => Promise.resolve(['the last line']) };

t.test('a process that ignores a signal gets the next one, SIGKILL in the end', async (t) => {
  const script =
    "trap 'echo INT' INT; trap 'echo QUIT' QUIT; echo ready; while :; do sleep 0.01; done";
  const child = spawn('/bin/sh', ['-c', script]);
  t.teardown(() => child.kill('SIGKILL'));
  const readSignal = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]);
  t.equal(await readSignal(), 'ready\n');
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const server = superviseProcess(child, log, [
    { signal: 'SIGINT', timeoutMs: 1_500 },
    { signal: 'SIGQUIT', timeoutMs: 1_500 },
    { signal: 'SIGKILL', timeoutMs: 60_000 },
  ]);
  const stopped = server.stop();
  for (const signal of ['INT', 'QUIT']) {
    t.equal(await readSignal(), `${signal}\n`);
    mock.timers.tick(1_500);
  }
  await stopped;
  const reason = 'SIGKILL: the last line';
  t.same(await server.exited, { expected: true, reason });
});

t.test('a program that cannot be started counts as ended', async (t) => {
  const server = superviseProcess(spawn('/nowhere/postgres'), log);
  t.match(await server.exited, { expected: false, reason: /ENOENT/ });
  await server.stop();
});
