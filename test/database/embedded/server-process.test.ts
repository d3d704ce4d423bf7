import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { supervise } from '../../../src/database/embedded/server-process.js';

const log = { tail: () => Promise.resolve(['the last line']) };

t.test('what does not heed a signal gets the next one, in the end SIGKILL', async (t) => {
  const script =
    "trap 'echo INT' INT; trap 'echo QUIT' QUIT; echo ready; while :; do sleep 0.01; done";
  const child = spawn('/bin/sh', ['-c', script]);
  t.teardown(() => child.kill('SIGKILL'));
  let heard = '';
  child.stdout.on('data', (text: Buffer) => (heard += text.toString()));
  await once(child.stdout, 'data');
  const server = supervise(child, log, [
    { signal: 'SIGINT', patienceMs: 1_500 },
    { signal: 'SIGQUIT', patienceMs: 1_500 },
    { signal: 'SIGKILL', patienceMs: 60_000 },
  ]);
  await server.stop();
  const reason = 'SIGKILL: the last line';
  t.same(await server.exited, { expected: true, reason });
  t.equal(heard, 'ready\nINT\nQUIT\n');
});

t.test('a program that cannot be started has ended', async (t) => {
  const server = supervise(spawn('/nowhere/postgres'), log);
  t.match(await server.exited, { expected: false, reason: /ENOENT/ });
  await server.stop();
});
