// The reader of the list of revoked tokens: when it reads, and what it says when it cannot.

import t from 'tap';
import { RevocationReader } from '../../../src/gateway/revocations/reader.js';
import { until } from '../../helpers/until.js';

const NEVER_MS = 2 ** 30;

const failed = (error: unknown): void => {
  throw error;
};
const recovered = (): void => undefined;

t.test('it reads at the start, and after each invalidation', async (t) => {
  let reads = 0;
  const read = async () => {
    reads++;
  };
  const reader = new RevocationReader({ read, failed, recovered }, { checkIntervalMs: NEVER_MS });
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
  const reader = new RevocationReader({ read, failed, recovered }, { checkIntervalMs: NEVER_MS });
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
  const reader = new RevocationReader({ read, failed, recovered }, { checkIntervalMs: 1 });
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
    recovered: (count: number) => recoveries.push(count),
  };
  const recoveries: number[] = [];
  const reader = new RevocationReader(steps, { checkIntervalMs: 1 }, () => 0);
  reader.start();
  await until('it failed', () => failures.length === 1);
  t.match(reader.problem, /cannot be read.*GRANT SELECT/);
  await until('it succeeded', () => reader.problem === undefined);
  t.equal(failures.length, 1);
  t.same(recoveries, [3], 'with the number of reads that failed');
  await reader.stop();
});

t.test('the pauses between failed reads grow, and are random', async (t) => {
  let reads = 0;
  const steps = {
    read: async () => {
      reads++;
      throw new Error('permission denied');
    },
    failed: () => undefined,
    recovered,
  };
  const draws: number[] = [];
  // Nearly no pause after the first failures, and then one that is longer than the test.
  const reader = new RevocationReader(steps, { checkIntervalMs: 1 }, () => {
    draws.push(reads);
    return reads < 4 ? 0.000_1 : 1;
  });
  reader.start();
  await until('the fourth pause', () => draws.length === 4);
  t.same(draws, [1, 2, 3, 4], 'each pause is drawn');
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(reads, 4, 'a pause of 8 s, not of 1 ms');
  await reader.stop();
});

t.test('the age of the list is the time since the last read that succeeded', async (t) => {
  let fails = false;
  let reads = 0;
  const steps = {
    read: async () => {
      reads++;
      if (fails) throw new Error('unreachable');
    },
    failed: () => undefined,
    recovered,
  };
  const reader = new RevocationReader(steps, { checkIntervalMs: NEVER_MS }, () => 0);
  const bornMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.ok(reader.ageMs >= 15, 'before the first read too');
  reader.start();
  await until('it is read', () => reader.problem === undefined);
  const readMs = performance.now();
  fails = true;
  reader.invalidate();
  await until('it fails', () => reads >= 3);
  t.ok(reader.ageMs >= performance.now() - readMs, 'a failure makes it no younger');
  t.ok(reader.ageMs <= performance.now() - bornMs);
  await reader.stop();
});
