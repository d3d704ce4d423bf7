// How long news takes: from its arrival, and only of news.

import t from 'tap';
import { DeliveryTimes } from '../../../src/gateway/hub/push-latency.js';

function setUp() {
  const observed: [string, number][] = [];
  const time = { nowMs: 100 };
  const times = new DeliveryTimes(
    (kind, tookMs) => observed.push([kind, tookMs]),
    () => time.nowMs,
  );
  return { times, observed, time };
}

t.test('a change is timed from its arrival, once however many sockets take it', async (t) => {
  const { times, observed, time } = setUp();
  times.during(() => {
    time.nowMs += 2;
    times.pushed(3);
  });
  t.same(observed, [['vm', 2]]);
});

t.test('a flush is timed from the arrival of the oldest change in it', async (t) => {
  const { times, observed, time } = setUp();
  times.during(() => times.pending());
  time.nowMs += 3;
  times.during(() => times.pushed(0));
  time.nowMs += 1;
  times.flushed(20);
  times.flushed(20);
  t.same(observed, [['fleet', 4]]);
});

t.test('what reaches nobody, or was read and not heard, is not timed', async (t) => {
  const { times, observed } = setUp();
  times.during(() => {
    times.pending();
    times.pushed(0);
  });
  times.flushed(0);
  times.pending();
  times.pushed(1);
  times.flushed(1);
  t.same(observed, []);
});
