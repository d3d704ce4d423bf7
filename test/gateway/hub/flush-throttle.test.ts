import { mock } from 'node:test';
import t from 'tap';
import { throttleFlushes } from '../../../src/gateway/hub/flush-throttle.js';

const INTERVAL_MS = 4;

/** A throttle on a mocked clock; `endTurn` resolves at the end of the current turn. */
function setUp() {
  let flushes = 0;
  let onFlush = (): void => undefined;
  const request = throttleFlushes(() => {
    flushes++;
    onFlush();
  }, INTERVAL_MS);
  return {
    request,
    count: () => flushes,
    onFlush: (does: () => void) => (onFlush = does),
    endTurn: () => Promise.resolve(),
  };
}

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
t.afterEach(() => mock.timers.reset());

t.test('the first request after a quiet interval is flushed at the end of the turn', async (t) => {
  const { request, count, endTurn } = setUp();
  request();
  request();
  t.equal(count(), 0, 'not within the turn: more may come');
  await endTurn();
  t.equal(count(), 1, 'once for all of it');
});

t.test('requests within the interval share one flush at its end', async (t) => {
  const { request, count, endTurn } = setUp();
  request();
  await endTurn();
  for (let i = 0; i < 100; i++) {
    request();
    await endTurn();
  }
  mock.timers.tick(INTERVAL_MS - 1);
  t.equal(count(), 1);
  mock.timers.tick(1);
  t.equal(count(), 2);
  request();
  await endTurn();
  t.equal(count(), 2, 'an interval follows that flush, too');
  mock.timers.tick(INTERVAL_MS);
  t.equal(count(), 3);
});

t.test(
  'nothing is flushed without a request; after a quiet interval the next is flushed at once',
  async (t) => {
    const { request, count, endTurn } = setUp();
    mock.timers.tick(100 * INTERVAL_MS);
    t.equal(count(), 0);
    request();
    await endTurn();
    mock.timers.tick(100 * INTERVAL_MS);
    t.equal(count(), 1);
    request();
    await endTurn();
    t.equal(count(), 2);
  },
);

t.test('a request made during a flush is flushed after the interval', async (t) => {
  const { request, count, onFlush, endTurn } = setUp();
  onFlush(request);
  request();
  await endTurn();
  t.equal(count(), 1);
  onFlush(() => undefined);
  mock.timers.tick(INTERVAL_MS);
  t.equal(count(), 2);
  mock.timers.tick(INTERVAL_MS);
  t.equal(count(), 2);
});

t.test('a flush that fails does not end flushing', async (t) => {
  const { request, count, onFlush, endTurn } = setUp();
  request();
  await endTurn();
  onFlush(() => {
    throw new Error('broken');
  });
  request();
  t.throws(() => mock.timers.tick(INTERVAL_MS), { message: 'broken' });
  onFlush(() => undefined);
  request();
  mock.timers.tick(INTERVAL_MS);
  t.equal(count(), 3);
});
