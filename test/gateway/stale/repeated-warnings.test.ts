// A warning that repeats is one line, and then one line with the number of repetitions.

import { mock } from 'node:test';
import t from 'tap';
import { COUNT_FOR_MS, RepeatedWarnings } from '../../../src/gateway/stale/repeated-warnings.js';

t.before(() => mock.timers.enable({ apis: ['setTimeout'] }));
t.teardown(() => mock.timers.reset());

function createWarnings() {
  const lines: unknown[][] = [];
  const log = { warn: (...line: unknown[]): void => void lines.push(line) };
  const warnings = new RepeatedWarnings(log);
  const warn = (message: string, id = 0): void => warnings.warn(log, { id }, message);
  return { lines, warn };
}

t.test('5,000 repetitions are two lines', async (t) => {
  const { lines, warn } = createWarnings();
  for (let n = 0; n < 5_000; n++) warn('busy', n);
  t.same(lines, [[{ id: 0 }, 'busy']]);
  mock.timers.tick(COUNT_FOR_MS);
  t.same(lines.slice(1), [[{ repeated: 4_999 }, 'busy']]);
});

t.test(
  'counting continues while the warning repeats, and then begins with a line again',
  async (t) => {
    const { lines, warn } = createWarnings();
    warn('busy');
    warn('busy');
    mock.timers.tick(COUNT_FOR_MS);
    warn('busy');
    mock.timers.tick(COUNT_FOR_MS);
    t.same(
      lines.slice(1),
      Array.from({ length: 2 }, () => [{ repeated: 1 }, 'busy']),
    );
    mock.timers.tick(COUNT_FOR_MS);
    warn('busy', 7);
    t.same(lines.slice(3), [[{ id: 7 }, 'busy']]);
  },
);

t.test('different warnings are counted separately, and a single one is not counted', async (t) => {
  const { lines, warn } = createWarnings();
  warn('busy');
  warn('gone');
  mock.timers.tick(COUNT_FOR_MS);
  t.same(lines, [
    [{ id: 0 }, 'busy'],
    [{ id: 0 }, 'gone'],
  ]);
});
