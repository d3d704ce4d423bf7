// The push latency: measured from the arrival of a notification, and only for notifications.

import t from 'tap';
import { PushLatency } from '../../../src/gateway/hub/push-latency.js';

function setUp() {
  const observed: [string, number][] = [];
  const time = { nowMs: 100 };
  const latency = new PushLatency(
    (kind, tookMs) => observed.push([kind, tookMs]),
    () => time.nowMs,
  );
  return { latency, observed, time };
}

t.test('a change is measured from its arrival, once for all subscribers', async (t) => {
  const { latency, observed, time } = setUp();
  latency.handleArrival(() => {
    time.nowMs += 2;
    latency.recordVmPush(3);
  });
  t.same(observed, [['vm', 2]]);
});

t.test('a flush is measured from the arrival of its oldest change', async (t) => {
  const { latency, observed, time } = setUp();
  latency.handleArrival(() => latency.markPending());
  time.nowMs += 3;
  latency.handleArrival(() => latency.recordVmPush(0));
  time.nowMs += 1;
  latency.recordFlush(20);
  latency.recordFlush(20);
  t.same(observed, [['fleet', 4]]);
});

t.test('changes without subscribers, or from a read, are not measured', async (t) => {
  const { latency, observed } = setUp();
  latency.handleArrival(() => {
    latency.markPending();
    latency.recordVmPush(0);
  });
  latency.recordFlush(0);
  latency.markPending();
  latency.recordVmPush(1);
  latency.recordFlush(1);
  t.same(observed, []);
});
