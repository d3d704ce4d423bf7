// When a drain closes which sessions, on a mocked clock.

import t from 'tap';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import { Drain, planDrain } from '../../../src/gateway/session/drain.js';
import { Sessions } from '../../../src/gateway/session/sessions.js';
import { setUp } from './gateway.js';

const LIMIT_MS = 5_000;
const BEGIN_MS = 1_000;

/** Opens `count` sessions and begins to drain them. */
function beginDrain(count: number, limitMs = LIMIT_MS) {
  const sessions = new Sessions();
  const open = () => {
    const opened = setUp({ role: 'dashboard' });
    sessions.add(opened.session);
    return opened.socket;
  };
  const sockets = Array.from({ length: count }, open);
  const drain = new Drain(sessions, limitMs, BEGIN_MS);
  const countClosed = (): number => sockets.filter(({ closes }) => closes.length > 0).length;
  return {
    sessions,
    sockets,
    open,
    drain,
    countClosed,
    tick: (ms: number) => drain.tick(BEGIN_MS + ms),
  };
}

t.test('a drain without sessions is over at once', async (t) => {
  const { drain, tick } = beginDrain(0);
  t.ok(tick(0));
  t.ok(drain.rejecting);
});

t.test('few sessions are closed within ms, many within the limit', async (t) => {
  t.same(planDrain(5, LIMIT_MS), { rejectFromMs: 50, closedByMs: 55 });
  t.same(planDrain(2_000, LIMIT_MS), { rejectFromMs: 1_000, closedByMs: 3_000 });
  t.same(planDrain(18_000, LIMIT_MS), { rejectFromMs: 1_000, closedByMs: LIMIT_MS });
  t.same(planDrain(18_000, 60_000), { rejectFromMs: 12_000, closedByMs: 30_000 });
  t.same(planDrain(18_000, 0), { rejectFromMs: 0, closedByMs: 0 });
});

t.test('new clients are accepted until the gateway is known not to be ready', async (t) => {
  const { drain, tick, countClosed, open } = beginDrain(2_000);
  t.notOk(tick(0));
  t.notOk(drain.rejecting);
  const late = open();
  t.notOk(tick(999));
  t.equal(countClosed(), 0);
  t.notOk(tick(1_000));
  t.ok(drain.rejecting);
  t.ok(tick(3_000));
  t.equal(countClosed(), 2_000);
  t.strictSame(late.closes, [CLOSE.restart], 'the new client too');
});

t.test('sessions are closed one after the other, each once', async (t) => {
  const { sockets, tick, countClosed } = beginDrain(2_000);
  tick(1_000);
  for (let ms = 1_100; ms < 3_000; ms += 100) {
    t.notOk(tick(ms));
    t.equal(countClosed(), Math.ceil(((ms - 1_000) / 2_000) * 2_000));
  }
  t.ok(tick(10_000));
  for (const { closes } of sockets) {
    if (closes.length !== 1 || closes[0] !== CLOSE.restart)
      t.fail('closed once, with the code to reconnect');
  }
});

t.test('an upgrade that was under way when rejecting began is closed too', async (t) => {
  const { tick, open } = beginDrain(100);
  tick(1_000);
  const late = open();
  t.ok(tick(1_100));
  t.strictSame(late.closes, [CLOSE.restart]);
});

t.test('with a limit of 0 all are closed at once', async (t) => {
  const { tick, countClosed } = beginDrain(3, 0);
  t.ok(tick(0));
  t.equal(countClosed(), 3);
});
