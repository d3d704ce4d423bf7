import t from 'tap';
import { TokenBucket } from '../../../src/gateway/session/token-bucket.js';

/** Counts how many messages of this size the bucket allows at this time. */
function countConsumed(bucket: TokenBucket, bytes: number, nowMs: number): number {
  let count = 0;
  while (bucket.tryConsume(bytes, nowMs)) count++;
  return count;
}

t.test('a burst of 100 messages, then 20 per second', async (t) => {
  const bucket = new TokenBucket(0);
  for (let n = 0; n < 100; n++) t.ok(bucket.tryConsume(0, 0));
  for (let nowMs = 50; nowMs <= 60_000; nowMs += 50) {
    if (!bucket.tryConsume(0, nowMs)) t.fail(`the message at ${nowMs} ms is within 20 per second`);
  }
  t.equal(countConsumed(bucket, 0, 60_000), 0, 'and no more');
});

t.test('an idle client may send a burst of 100 again, and no more', async (t) => {
  const bucket = new TokenBucket(0);
  for (let n = 0; n < 100; n++) bucket.tryConsume(0, 0);
  t.equal(countConsumed(bucket, 0, 3_600_000), 100);
});

t.test('each KiB costs as much as a message', async (t) => {
  t.equal(countConsumed(new TokenBucket(0), 1023, 0), 100);
  t.equal(countConsumed(new TokenBucket(0), 1024, 0), 50);
  t.equal(countConsumed(new TokenBucket(0), 16 * 1024, 0), 5);
});
