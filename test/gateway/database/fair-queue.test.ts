// Which request uses a connection next: by priority, by turns of identities, and within the limits.

import fc from 'fast-check';
import t from 'tap';
import {
  FairQueue,
  PRIORITIES,
  type Claim,
  type Priority,
} from '../../../src/gateway/database/fair-queue.js';
import { REQUEST_LIMITS } from '../../../src/gateway/database/shared-pool.js';

const claim = (identity: string, priority: Priority): Claim => ({ identity, priority });
const ONE_AT_A_TIME = { ...REQUEST_LIMITS, running: 1 };

/** Starts everything that may run now. */
function startAll(queue: FairQueue): Claim[] {
  const started: Claim[] = [];
  for (let next = queue.startNext(); next !== undefined; next = queue.startNext())
    started.push(next);
  return started;
}

/** Runs one claim after the other, and returns their names in this order. */
function serveAll(queue: FairQueue): string[] {
  const served: string[] = [];
  for (let [next] = startAll(queue); next !== undefined; [next] = startAll(queue)) {
    served.push(next.identity);
    queue.remove(next);
  }
  return served;
}

t.test('reports come before changes, changes before reads, and long lists last', async (t) => {
  const queue = new FairQueue(ONE_AT_A_TIME);
  for (const priority of [...PRIORITIES].reverse()) queue.add(claim(priority, priority));
  t.same(serveAll(queue), ['report', 'change', 'read', 'list']);
});

t.test('identities take turns, however many requests each has', async (t) => {
  const queue = new FairQueue(ONE_AT_A_TIME);
  for (const identity of ['a', 'a', 'a', 'b', 'c', 'b']) queue.add(claim(identity, 'read'));
  t.same(serveAll(queue), ['a', 'b', 'c', 'a', 'b', 'a']);
});

t.test('one identity leaves connections to the others, and all reads to changes', async (t) => {
  const queue = new FairQueue(REQUEST_LIMITS);
  for (let n = 0; n < 50; n++) queue.add(claim('wall', 'read'));
  t.equal(startAll(queue).length, REQUEST_LIMITS.runningOfIdentity.read);
  for (const identity of ['second', 'third', 'fourth']) queue.add(claim(identity, 'read'));
  t.equal(startAll(queue).length, 1, 'all reads have their limit too');
  for (let n = 0; n < 50; n++) queue.add(claim(`admin-${n}`, 'change'));
  t.equal(startAll(queue).length, 3, 'the last connection is kept for reports');
  for (let n = 0; n < 50; n++) queue.add(claim(`agent-${n}`, 'report'));
  t.same(startAll(queue), [claim('agent-0', 'report')]);
});

t.test('one identity reads one long list at a time, and all identities two', async (t) => {
  const queue = new FairQueue(REQUEST_LIMITS);
  for (let n = 0; n < 50; n++) queue.add(claim('wall', 'list'));
  t.same(startAll(queue), [claim('wall', 'list')]);
  for (const identity of ['second', 'third']) queue.add(claim(identity, 'list'));
  t.same(startAll(queue), [claim('second', 'list')]);
  queue.add(claim('wall', 'read'));
  t.same(startAll(queue), [claim('wall', 'read')], 'lists leave the short reads of an identity');
});

t.test("an identity's changes that wait for locks do not stop its reads", async (t) => {
  const queue = new FairQueue(REQUEST_LIMITS);
  for (let n = 0; n < 10; n++) queue.add(claim('admin', 'change'));
  startAll(queue);
  queue.add(claim('admin', 'read'));
  t.same(startAll(queue), [claim('admin', 'read')]);
});

t.test('too many waiting requests are refused: of one identity, and of all', async (t) => {
  const queue = new FairQueue({ ...REQUEST_LIMITS, waitingOfIdentity: 2, waitingOfPriority: 3 });
  const add = (identity: string, priority: Priority = 'read') =>
    queue.add(claim(identity, priority));
  t.same([add('a'), add('a'), add('a')], [true, true, false]);
  t.same([add('b'), add('c')], [true, false]);
  t.ok(add('c', 'change'), 'reads do not fill the queue of changes');
  for (let n = 0; n < 10; n++) t.ok(add(`agent-${n}`, 'report'));
});

t.test('a claim that waits no longer is not started, and frees its place', async (t) => {
  const queue = new FairQueue({ ...REQUEST_LIMITS, waitingOfIdentity: 2 });
  const [first, second] = [claim('a', 'read'), claim('a', 'read')];
  queue.add(first);
  queue.add(second);
  queue.remove(first);
  t.ok(queue.add(claim('a', 'read')));
  t.equal(queue.startNext(), second);
});

const STEPS = fc.array(
  fc.oneof(
    fc.record({
      identity: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      priority: fc.constantFrom(...PRIORITIES),
    }),
    fc.nat(20),
  ),
  { maxLength: 200 },
);

t.test('no history exceeds a limit, and none leaves a claim behind', async () => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const queue = new FairQueue(REQUEST_LIMITS);
      const running = new Set<Claim>();
      let waiting = 0;
      const start = (): void => {
        for (const next of startAll(queue)) {
          running.add(next);
          waiting--;
        }
      };
      for (const step of steps) {
        if (typeof step === 'object') waiting += queue.add({ ...step }) ? 1 : 0;
        else {
          const ended = [...running][step % Math.max(running.size, 1)];
          if (ended !== undefined) queue.remove(ended);
          if (ended !== undefined) running.delete(ended);
        }
        start();
        assertWithinLimits([...running]);
      }
      while (running.size > 0) {
        for (const ended of running) queue.remove(ended);
        running.clear();
        start();
      }
      if (waiting !== 0) throw new Error(`${waiting} claims were never started`);
    }),
  );
});

function assertWithinLimits(running: readonly Claim[]): void {
  const count = (matches: (claim: Claim) => boolean): number => running.filter(matches).length;
  const limits = REQUEST_LIMITS;
  const isWithin =
    running.length <= limits.running &&
    count(({ priority }) => priority !== 'report') <= limits.runningBesidesReports &&
    running.every(
      ({ identity, priority }) =>
        count((other) => other.identity === identity && other.priority === priority) <=
        limits.runningOfIdentity[priority],
    ) &&
    (['change', 'read', 'list'] as const).every(
      (one) => count(({ priority }) => priority === one) <= limits.runningOfPriority[one],
    );
  if (!isWithin) throw new Error(`too many run: ${JSON.stringify(running)}`);
}
