// A process that stands still knows it, as soon as it goes on.

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Standstill } from '../../../src/gateway/feed/standstill.js';

const block = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

t.test('the time is known at once, and counts once', async (t) => {
  const meter = new Standstill();
  meter.start();
  t.teardown(() => meter.stop());
  const before = meter.totalMs;
  block(800);
  const stoodStillMs = meter.totalMs - before;
  t.ok(stoodStillMs >= 650, `${stoodStillMs} ms of 800`);
  const after = meter.totalMs;
  t.ok(meter.totalMs - after < 50, 'asking again adds nothing');
});

t.test('before its start and after its stop it measures nothing', async (t) => {
  const meter = new Standstill();
  block(300);
  t.equal(meter.totalMs, 0);
  meter.start();
  meter.stop();
  const before = meter.totalMs;
  block(300);
  await sleep(1);
  t.equal(meter.totalMs, before);
});
