import t from 'tap';
import { TokenBucket } from '../../../src/gateway/session/token-bucket.js';

/** How many messages of so many bytes are paid for at this moment. */
function paid(budget: TokenBucket, bytes: number, nowMs: number): number {
  let count = 0;
  while (budget.tryConsume(bytes, nowMs)) count++;
  return count;
}

t.test('a hundred messages at once, then twenty a second', async (t) => {
  const budget = new TokenBucket(0);
  for (let n = 0; n < 100; n++) t.ok(budget.tryConsume(0, 0));
  for (let nowMs = 50; nowMs <= 60_000; nowMs += 50) {
    if (!budget.tryConsume(0, nowMs))
      t.fail(`the message at ${nowMs} ms is one of twenty a second`);
  }
  t.equal(paid(budget, 0, 60_000), 0, 'and no other');
});

t.test('whoever was quiet may say a hundred again, and no more', async (t) => {
  const budget = new TokenBucket(0);
  for (let n = 0; n < 100; n++) budget.tryConsume(0, 0);
  t.equal(paid(budget, 0, 3_600_000), 100);
});

t.test('bytes count: each KiB is one message more', async (t) => {
  t.equal(paid(new TokenBucket(0), 1023, 0), 100);
  t.equal(paid(new TokenBucket(0), 1024, 0), 50);
  t.equal(paid(new TokenBucket(0), 16 * 1024, 0), 5);
});
