// A log that cannot be written: nothing waits for it, what is dropped is counted, and the process
// serves and ends as always.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { LogWriter } from '../../src/cli/log-writer.js';
import { startServer } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { cleanEnvironment, MAIN } from '../helpers/process.js';
import { until } from '../helpers/until.js';

t.test('what is not taken waits, what is too much is dropped, counted and reported', async (t) => {
  const taken: string[] = [];
  let room = 0;
  const writer = new LogWriter((bytes) => {
    if (room === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    const part = bytes.subarray(0, room);
    taken.push(part.toString());
    return part.length;
  }, 10);
  writer.write('aaaa\n');
  writer.write('bbbb\n');
  for (let n = 0; n < 3; n++) writer.write('cccc\n');
  writer.flushSync();
  t.equal(writer.dropped, 3);
  room = 7;
  writer.flushSync();
  t.same(taken, ['aaaa\nbb'], 'a part is taken');
  room = 1_000;
  await until('the rest is written later', () => taken.length > 1);
  t.equal(taken[1], 'bb\n');
  // The report is longer than the buffer of this test, so it is dropped as well.
  t.ok(writer.dropped >= 3);
});

t.test('the number of dropped lines is logged once they are taken again', async (t) => {
  const taken: string[] = [];
  let isFull = true;
  const writer = new LogWriter((bytes) => {
    if (isFull) throw new Error('ENOSPC');
    taken.push(bytes.toString());
    return bytes.length;
  }, 200);
  for (let n = 0; n < 5; n++) writer.write(`${'x'.repeat(99)}\n`);
  writer.flushSync();
  isFull = false;
  await until('the report is written', () => taken.some((text) => text.includes('"dropped":3')));
  t.equal(writer.dropped, 3);
});

interface Log {
  readonly name: string;
  /** The stderr of the process, as a shell redirects it; `pipe` is a pipe that is not read. */
  readonly stderr: string;
}

const LOGS: readonly Log[] = [
  { name: 'a full disk', stderr: '2>/dev/full' },
  { name: 'a closed stderr', stderr: '2>&-' },
  { name: 'a pipe that is not read', stderr: 'pipe' },
  { name: 'a pipe whose reader is gone', stderr: '2> >(exec true)' },
];

for (const { name, stderr } of LOGS) {
  t.test(`${name} stops neither the service nor its end`, async (t) => {
    const { createDatabase } = await startServer(t);
    const { config } = await createDatabase();
    const port = await freePort();
    const child = start(t, stderr, {
      PORT: String(port),
      LOG_LEVEL: 'trace',
      JWT_SECRET: 'a secret that only tests know, of enough bytes',
      PGHOST: config.host,
      PGPORT: String(config.port),
      PGUSER: config.user,
      PGDATABASE: config.database,
    });
    const exited = once(child, 'exit');
    const url = `http://127.0.0.1:${port}`;
    const isReady = () =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until('it is ready', isReady);
    const dropped = async (): Promise<number> => {
      for (let n = 0; n < 100; n++) await fetch(`${url}/v1/vms`);
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^lablink_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
    };
    if (stderr !== '2>&-')
      await until('lines are dropped', async () => (await dropped()) > 0, 300_000);
    t.ok(await isReady());
    child.kill('SIGTERM');
    t.same(await exited, [0, null]);
  });
}

function start(t: Test, stderr: string, env: NodeJS.ProcessEnv) {
  const nothing = openSync('/dev/null', 'w');
  const redirect = stderr === 'pipe' ? '' : stderr;
  const child = spawn('bash', ['-c', `exec "$0" "$1" serve ${redirect}`, process.execPath, MAIN], {
    env: cleanEnvironment(env),
    stdio: ['ignore', nothing, stderr === 'pipe' ? 'pipe' : 'ignore'],
  });
  closeSync(nothing);
  // Without a listener for data, Node does not read the pipe.
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}
