// When a queue of notifications that fills is warned about, and how often.

import t from 'tap';
import { QueueWatch } from '../../../src/gateway/feed/queue-watch.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watching() {
  const told: unknown[] = [];
  const seam = { nowMs: 0, usage: 0, suspects: async () => [{ pid: 7 }] };
  const watch = new QueueWatch<{ pid: number }>(
    0.1,
    {
      readUsage: async () => seam.usage,
      readSuspects: () => seam.suspects(),
      usageObserved: () => undefined,
      filling: (ratio, suspects) => told.push([ratio, ...suspects.map(({ pid }) => pid)]),
      drained: () => told.push('relieved'),
      failed: (error) => told.push(error),
    },
    () => seam.nowMs,
  );
  /** What is told when the queue is seen to be so full at this second. */
  const seen = async (ratio: number, second: number): Promise<unknown[]> => {
    seam.nowMs = second * 1_000;
    watch.observe(ratio);
    await settled();
    return told.splice(0);
  };
  return { watch, seen, seam, told };
}

t.test('it warns where it begins, again in a minute, and says when it is over', async (t) => {
  const { seen, seam } = watching();
  t.same(await seen(0.09, 0), []);
  t.same(await seen(0.1, 5), [[0.1, 7]]);
  t.same(await seen(0.2, 10), []);
  t.same(await seen(0.3, 65), [[0.3, 7]]);
  t.same(await seen(0, 70), ['relieved']);
  t.same(await seen(0, 75), []);
  t.same(await seen(0.5, 80), [[0.5, 7]], 'the next time at once');
  seam.suspects = async () => [{ pid: 7 }, { pid: 8 }];
  t.same(await seen(0.5, 85), [[0.5, 7, 8]], 'and whoever was not named before');
  t.same(await seen(0.5, 90), []);
});

t.test('asked to look, it asks how full it is', async (t) => {
  const { watch, seam, told } = watching();
  seam.usage = 1;
  watch.check();
  await settled();
  t.same(told, [[1, 7]]);
});

t.test('a failure to see who it is is told', async (t) => {
  const { seen, seam } = watching();
  const error = new Error('away');
  seam.suspects = async () => {
    throw error;
  };
  t.same(await seen(0.5, 0), [error]);
});
