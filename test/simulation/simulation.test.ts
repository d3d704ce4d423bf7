// A slice of the simulation in a process of its own, without the test runner's hooks, which make
// promises slow.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';

const execute = promisify(execFile);

async function simulate(...args: string[]): Promise<string> {
  // Without the runner's environment: it would also count the coverage of sources that another
  // loader compiled.
  const main = ['--import', 'tsx', 'test/simulation/main.ts', '--processes', '1', ...args];
  const { stdout } = await execute('/usr/bin/env', ['-i', process.execPath, ...main], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

t.test('histories in every weather keep every invariant', async (t) => {
  const output = await simulate('--histories', '1000', '--seed', '1').catch((error: unknown) =>
    t.fail('a history failed, or a weather never occurred', { error }),
  );
  t.match(String(output), /1000 histories in .*; seed 1/);
});

t.test('a history is a function of its seed and number', async (t) => {
  const repeat = ['--seed', '7', '--history', '11', '--trace'];
  const [first, second] = await Promise.all([simulate(...repeat), simulate(...repeat)]);
  t.match(first, /step: .*\nnothing failed\n$/s);
  t.equal(second, first);
});
