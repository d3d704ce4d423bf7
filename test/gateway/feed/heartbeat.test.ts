// Only the awaited beat, in time, verifies that notifications arrive.

import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { FeedHeartbeat, type MissReason } from '../../../src/gateway/feed/heartbeat.js';
import { until } from '../../helpers/until.js';

/** A heartbeat whose beats are recorded, for the test to answer. */
function beating(
  options: {
    deadlineMs?: number;
    send?: (() => Promise<void>) | undefined;
    /** The machine of the test may stand still, so the meter is the test's. */
    standstill?: { totalMs: number };
  } = {},
) {
  const beats: string[] = [];
  const arrived: number[] = [];
  const missed: [MissReason, unknown][] = [];
  const heartbeat = new FeedHeartbeat(
    { intervalMs: 10, deadlineMs: options.deadlineMs ?? 3_600_000 },
    {
      send: (beat) => {
        beats.push(beat);
        return options.send?.() ?? Promise.resolve();
      },
      arrived: (roundTripMs) => arrived.push(roundTripMs),
      missed: (reason, error) => missed.push([reason, error]),
    },
    options.standstill ?? { totalMs: 0 },
  );
  const beatsSent = (count: number) => until(`${count} beats`, () => beats.length >= count);
  return { heartbeat, beats, arrived, missed, beatsSent };
}

t.test('a beat that arrives counts, and the next one follows', async (t) => {
  const { heartbeat, beats, arrived, missed, beatsSent } = beating();
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  t.same(beats, ['1'], 'the first one is sent at once');
  for (let count = 1; count <= 3; count++) {
    await beatsSent(count);
    t.equal(beats.length, count, 'one beat at a time');
    heartbeat.receive(beats.at(-1) ?? '');
  }
  t.equal(arrived.length, 3);
  t.ok(arrived.every((roundTripMs) => roundTripMs >= 0));
  t.same(missed, []);
});

t.test('only the awaited beat counts', async (t) => {
  const { heartbeat, arrived, beatsSent } = beating();
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  for (const payload of ['', '0', '2', 'forged']) heartbeat.receive(payload);
  t.same(arrived, []);
  heartbeat.receive('1');
  heartbeat.receive('1');
  t.equal(arrived.length, 1, 'and counts once');
  await beatsSent(2);
  heartbeat.receive('1');
  t.equal(arrived.length, 1, 'an earlier beat that is late does not');
});

t.test('a beat that arrived in time, while the process stood still, is not lost', async (t) => {
  const { heartbeat, arrived, missed } = beating({ deadlineMs: 30 });
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  port2.on('message', (payload: string) => heartbeat.receive(payload));
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  port1.postMessage('1');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  await until('it is read', () => arrived.length > 0);
  t.same(missed, []);
});

t.test('a beat that was sent and does not arrive in time is lost', async (t) => {
  const { heartbeat, missed, arrived, beatsSent } = beating({ deadlineMs: 30 });
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  await until('it is missed', () => missed.length > 0);
  t.same(missed[0], ['lost', undefined]);
  await beatsSent(2);
  heartbeat.receive('1');
  t.same(arrived, [], 'it is too late');
});

t.test('a beat whose sending the database does not confirm is unanswered', async (t) => {
  const { heartbeat, missed, beatsSent } = beating({
    deadlineMs: 30,
    send: () => new Promise(() => undefined),
  });
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  await until('it is missed', () => missed.length > 0);
  t.same(missed[0], ['unanswered', undefined]);
  await beatsSent(2);
});

t.test('a beat that could not be sent is missed at once, with the reason', async (t) => {
  const refused = new Error('refused');
  const { heartbeat, missed, beatsSent } = beating({ send: () => Promise.reject(refused) });
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  await beatsSent(3);
  t.same(missed.slice(0, 2), Array(2).fill(['failed', refused]));
});

t.test('a failure after the answer or after the stop is ignored', async (t) => {
  const failures: ((error: Error) => void)[] = [];
  const { heartbeat, missed, beatsSent } = beating({
    send: () => new Promise((_, reject) => failures.push(reject)),
  });
  heartbeat.start();
  heartbeat.receive('1');
  await beatsSent(2);
  heartbeat.stop();
  for (const fail of failures) fail(new Error('too late'));
  await new Promise(setImmediate);
  t.same(missed, []);
});

t.test('after its stop it sends and receives nothing, and it can start again', async (t) => {
  const { heartbeat, beats, arrived, beatsSent } = beating();
  heartbeat.start();
  heartbeat.stop();
  heartbeat.stop();
  heartbeat.receive('1');
  t.same(arrived, []);
  heartbeat.start();
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  t.same(beats, ['1', '2', '3'], 'no beat of an earlier series is repeated');
  heartbeat.receive('2');
  t.same(arrived, []);
  heartbeat.receive('3');
  await beatsSent(4);
  t.equal(arrived.length, 1);
});

t.test('after a beat has arrived, a later one that is lost blames no pooler', async (t) => {
  const { heartbeat, missed, beatsSent } = beating({ deadlineMs: 30 });
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  heartbeat.receive('1');
  await beatsSent(2);
  await until('it is missed', () => missed.length > 0);
  t.same(missed[0], ['silent', undefined]);
  heartbeat.start();
  await until('one is missed on the next connection', () => missed.length > 1);
  t.same(missed[1], ['lost', undefined], 'which has proven nothing');
});

t.test('while the process stands still, a beat has more time', async (t) => {
  const standstill = { totalMs: 0 };
  const { heartbeat, missed, arrived } = beating({ deadlineMs: 1_000, standstill });
  heartbeat.start();
  t.teardown(() => heartbeat.stop());
  standstill.totalMs = 2_000;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200);
  await new Promise((resolve) => setTimeout(resolve, 20));
  heartbeat.receive('1');
  t.same([missed, arrived.length], [[], 1]);
});

t.test('a process that stood still blames itself, and not the database', async (t) => {
  for (const send of [undefined, () => new Promise<void>(() => undefined)]) {
    const standstill = { totalMs: 0 };
    const { heartbeat, missed } = beating({ deadlineMs: 40, standstill, send });
    heartbeat.start();
    t.teardown(() => heartbeat.stop());
    standstill.totalMs = 3_600_000;
    await until('it is missed all the same', () => missed.length > 0);
    t.same(missed[0], ['busy', undefined]);
    heartbeat.stop();
  }
});
