// Elements set aside are tried again with pauses that double; the first failure is reported.

import t from 'tap';
import { SetAside } from '../../../src/gateway/stale/set-aside.js';

function setUp() {
  const clock = { nowMs: 0 };
  const aside = new SetAside<string>(() => clock.nowMs, { baseMs: 10, capMs: 40 });
  return { clock, aside };
}

t.test('pauses double up to the cap, and only the first failure is new', async (t) => {
  const { clock, aside } = setUp();
  t.ok(aside.add('a', 'first'));
  for (const pauseMs of [10, 20, 40, 40]) {
    clock.nowMs += pauseMs - 1;
    t.same(aside.takeDue(), [], `not before ${pauseMs} ms`);
    clock.nowMs += 1;
    t.same(aside.takeDue(), ['first']);
    t.equal(aside.size, 1, 'it counts while it is tried again');
    t.notOk(aside.has('a'));
    t.notOk(aside.add('a', 'first'));
  }
});

t.test('an element that succeeds is new when it fails again', async (t) => {
  const { clock, aside } = setUp();
  aside.add('a', 'first');
  clock.nowMs = 10;
  aside.takeDue();
  aside.succeed('a');
  t.equal(aside.size, 0);
  t.ok(aside.add('a', 'second'));
});

t.test('a later element takes the place of an earlier one, and waits as long', async (t) => {
  const { clock, aside } = setUp();
  aside.add('a', 'first');
  clock.nowMs = 9;
  aside.replace('a', 'second');
  aside.replace('b', 'unknown');
  clock.nowMs = 10;
  t.same(aside.takeDue(), ['second']);
  t.equal(aside.size, 1);
});
