// When the log warns about a queue of notifications that fills, and how often.

import t from 'tap';
import { QueueWatch } from '../../../src/gateway/feed/queue-watch.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watching() {
  const events: unknown[] = [];
  const seam = { nowMs: 0, usage: 0, suspects: async () => [{ pid: 7 }] };
  const watch = new QueueWatch<{ pid: number }>(
    0.1,
    {
      readUsage: async () => seam.usage,
      readSuspects: () => seam.suspects(),
      usageObserved: () => undefined,
      filling: (ratio, suspects) => events.push([ratio, ...suspects.map(({ pid }) => pid)]),
      drained: () => events.push('relieved'),
      failed: (error) => events.push(error),
    },
    () => seam.nowMs,
  );
  /** Observes this usage at this second, and returns the events. */
  const seen = async (ratio: number, second: number): Promise<unknown[]> => {
    seam.nowMs = second * 1_000;
    watch.observe(ratio);
    await settled();
    return events.splice(0);
  };
  return { watch, seen, seam, events };
}

t.test('it warns at the threshold, again after a minute, and reports the end', async (t) => {
  const { seen, seam } = watching();
  t.same(await seen(0.09, 0), []);
  t.same(await seen(0.1, 5), [[0.1, 7]]);
  t.same(await seen(0.2, 10), []);
  t.same(await seen(0.3, 65), [[0.3, 7]]);
  t.same(await seen(0, 70), ['relieved']);
  t.same(await seen(0, 75), []);
  t.same(await seen(0.5, 80), [[0.5, 7]], 'the next time it warns at once');
  seam.suspects = async () => [{ pid: 7 }, { pid: 8 }];
  t.same(await seen(0.5, 85), [[0.5, 7, 8]], 'and a session that was not named before');
  t.same(await seen(0.5, 90), []);
});

t.test('a check reads how full the queue is', async (t) => {
  const { watch, seam, events } = watching();
  seam.usage = 1;
  watch.check();
  await settled();
  t.same(events, [[1, 7]]);
});

t.test('a failure to read the suspects is reported', async (t) => {
  const { seen, seam } = watching();
  const error = new Error('away');
  seam.suspects = async () => {
    throw error;
  };
  t.same(await seen(0.5, 0), [error]);
});
