// How long news takes: from its arrival, and only of news.

import t from 'tap';
import { PushLatency } from '../../../src/gateway/hub/push-latency.js';

function setUp() {
  const observed: [string, number][] = [];
  const time = { nowMs: 100 };
  const times = new PushLatency(
    (kind, tookMs) => observed.push([kind, tookMs]),
    () => time.nowMs,
  );
  return { times, observed, time };
}

t.test('a change is timed from its arrival, once however many sockets take it', async (t) => {
  const { times, observed, time } = setUp();
  times.handleArrival(() => {
    time.nowMs += 2;
    times.recordVmPush(3);
  });
  t.same(observed, [['vm', 2]]);
});

t.test('a flush is timed from the arrival of the oldest change in it', async (t) => {
  const { times, observed, time } = setUp();
  times.handleArrival(() => times.markPending());
  time.nowMs += 3;
  times.handleArrival(() => times.recordVmPush(0));
  time.nowMs += 1;
  times.recordFlush(20);
  times.recordFlush(20);
  t.same(observed, [['fleet', 4]]);
});

t.test('what reaches nobody, or was read and not heard, is not timed', async (t) => {
  const { times, observed } = setUp();
  times.handleArrival(() => {
    times.markPending();
    times.recordVmPush(0);
  });
  times.recordFlush(0);
  times.markPending();
  times.recordVmPush(1);
  times.recordFlush(1);
  t.same(observed, []);
});
