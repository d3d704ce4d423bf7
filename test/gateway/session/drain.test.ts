// When whom a drain tells, on a clock that the test moves.

import t from 'tap';
import { CLOSE } from '../../../src/protocol/close-codes.js';
import { Drain, planDrain } from '../../../src/gateway/session/drain.js';
import { Sessions } from '../../../src/gateway/session/sessions.js';
import { setUp } from './gateway.js';

const LIMIT_MS = 5_000;
const BEGIN_MS = 1_000;

/** So many sessions, and a drain of them that begins now. */
function draining(count: number, limitMs = LIMIT_MS) {
  const sessions = new Sessions();
  const open = () => {
    const opened = setUp({ role: 'dashboard' });
    sessions.add(opened.session);
    return opened.socket;
  };
  const sockets = Array.from({ length: count }, open);
  const drain = new Drain(sessions, limitMs, BEGIN_MS);
  const told = (): number => sockets.filter(({ closes }) => closes.length > 0).length;
  return { sessions, sockets, open, drain, told, tick: (ms: number) => drain.tick(BEGIN_MS + ms) };
}

t.test('with nobody there is nothing to wait for', async (t) => {
  const { drain, tick } = draining(0);
  t.ok(tick(0));
  t.ok(drain.rejecting);
});

t.test('a few are told within a moment, many within the limit', async (t) => {
  t.same(planDrain(5, LIMIT_MS), { rejectFromMs: 50, closedByMs: 55 });
  t.same(planDrain(2_000, LIMIT_MS), { rejectFromMs: 1_000, closedByMs: 3_000 });
  t.same(planDrain(18_000, LIMIT_MS), { rejectFromMs: 1_000, closedByMs: LIMIT_MS });
  t.same(planDrain(18_000, 60_000), { rejectFromMs: 12_000, closedByMs: 30_000 });
  t.same(planDrain(18_000, 0), { rejectFromMs: 0, closedByMs: 0 });
});

t.test('newcomers are let in until it is known that the gateway is not ready', async (t) => {
  const { drain, tick, told, open } = draining(2_000);
  t.notOk(tick(0));
  t.notOk(drain.rejecting);
  const late = open();
  t.notOk(tick(999));
  t.equal(told(), 0);
  t.notOk(tick(1_000));
  t.ok(drain.rejecting);
  t.ok(tick(3_000));
  t.equal(told(), 2_000);
  t.strictSame(late.closes, [CLOSE.restart], 'the newcomer too');
});

t.test('they are told one after the other, each once', async (t) => {
  const { sockets, tick, told } = draining(2_000);
  tick(1_000);
  for (let ms = 1_100; ms < 3_000; ms += 100) {
    t.notOk(tick(ms));
    t.equal(told(), Math.ceil(((ms - 1_000) / 2_000) * 2_000));
  }
  t.ok(tick(10_000));
  for (const { closes } of sockets) {
    if (closes.length !== 1 || closes[0] !== CLOSE.restart) t.fail('told once, to come back');
  }
});

t.test('an upgrade that was under way when the refusals began is not forgotten', async (t) => {
  const { tick, open } = draining(100);
  tick(1_000);
  const late = open();
  t.ok(tick(1_100));
  t.strictSame(late.closes, [CLOSE.restart]);
});

t.test('without time all are told at once', async (t) => {
  const { tick, told } = draining(3, 0);
  t.ok(tick(0));
  t.equal(told(), 3);
});
