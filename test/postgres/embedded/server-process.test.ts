import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mock } from 'node:test';
import t from 'tap';
import { supervise } from '../../../src/postgres/embedded/server-process.js';

const log = { tail: () => Promise.resolve(['the last line']) };

t.test('what does not heed a signal gets the next one, in the end SIGKILL', async (t) => {
  const script =
    "trap 'echo INT' INT; trap 'echo QUIT' QUIT; echo ready; while :; do sleep 0.01; done";
  const child = spawn('/bin/sh', ['-c', script]);
  t.teardown(() => child.kill('SIGKILL'));
  const heard = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]);
  t.equal(await heard(), 'ready\n');
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const server = supervise(child, log, [
    { signal: 'SIGINT', patienceMs: 1_500 },
    { signal: 'SIGQUIT', patienceMs: 1_500 },
    { signal: 'SIGKILL', patienceMs: 60_000 },
  ]);
  const stopped = server.stop();
  for (const signal of ['INT', 'QUIT']) {
    t.equal(await heard(), `${signal}\n`);
    mock.timers.tick(1_500);
  }
  await stopped;
  const reason = 'SIGKILL: the last line';
  t.same(await server.exited, { expected: true, reason });
});

t.test('a program that cannot be started has ended', async (t) => {
  const server = supervise(spawn('/nowhere/postgres'), log);
  t.match(await server.exited, { expected: false, reason: /ENOENT/ });
  await server.stop();
});
