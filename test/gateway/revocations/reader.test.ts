// The reader of the list of revoked tokens: when it reads, and what it says when it cannot.

import t from 'tap';
import { RevocationReader } from '../../../src/gateway/revocations/reader.js';
import { until } from '../../helpers/until.js';

const NEVER_MS = 2 ** 30;

const failed = (error: unknown): void => {
  throw error;
};

t.test('it reads at the start, and after each invalidation', async (t) => {
  let reads = 0;
  const read = async () => {
    reads++;
  };
  const reader = new RevocationReader({ read, failed }, { checkIntervalMs: NEVER_MS });
  t.match(reader.problem, 'being read');
  t.equal(reads, 0, 'not before');
  reader.start();
  await until('the first read', () => reads === 1);
  await until('it is known', () => reader.problem === undefined);
  for (const expected of [2, 3]) {
    reader.invalidate();
    await until('another read', () => reads === expected);
  }
  await reader.stop();
  reader.invalidate();
  t.equal(reads, 3);
});

t.test('an invalidation during a read leads to another read', async (t) => {
  const reads: (() => void)[] = [];
  const read = () => new Promise<void>((resolve) => reads.push(resolve));
  const reader = new RevocationReader({ read, failed }, { checkIntervalMs: NEVER_MS });
  reader.start();
  for (let n = 0; n < 50; n++) reader.invalidate();
  reads[0]?.();
  await until('the second read', () => reads.length === 2);
  reads[1]?.();
  await until('it is read', () => reader.problem === undefined);
  t.equal(reads.length, 2, 'one for all of them');
  await reader.stop();
});

t.test('it reads again and again without any notification', async () => {
  let reads = 0;
  const read = async () => {
    reads++;
  };
  const reader = new RevocationReader({ read, failed }, { checkIntervalMs: 1 });
  reader.start();
  await until('the third read', () => reads >= 3);
  await reader.stop();
});

t.test('a failure is a problem until a read succeeds, and is logged once', async (t) => {
  let reads = 0;
  const failures: unknown[] = [];
  const steps = {
    read: async () => {
      if (++reads < 4) throw new Error('permission denied');
    },
    failed: (error: unknown) => failures.push(error),
  };
  const reader = new RevocationReader(steps, { checkIntervalMs: 1 });
  reader.start();
  await until('it failed', () => failures.length === 1);
  t.match(reader.problem, /cannot be read.*GRANT SELECT/);
  await until('it succeeded', () => reader.problem === undefined);
  t.equal(failures.length, 1);
  await reader.stop();
});
