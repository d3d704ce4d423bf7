// Subscribers: what each receives, subscribing, unsubscribing, and failing.

import v8 from 'node:v8';
import vm from 'node:vm';
import t from 'tap';
import { vmRow } from './rows.js';
import { changes, setUp, upserted } from './setup.js';

t.test(
  'a VM subscriber receives each change of its VM at once, in order, and no other',
  async (t) => {
    const { upsert, delete: remove, subscribeToVm } = setUp();
    const agent = subscribeToVm('a', 'full');
    const other = subscribeToVm('b', 'full');
    upsert(vmRow('a', 1));
    t.equal(agent.frames.length, 1, 'without a flush');
    upsert(vmRow('a', 2, '', 'in-use'));
    remove('a');
    t.strictSame(agent.frames, [
      `{"type":"status","vm":${vmRow('a', 1).row}}`,
      `{"type":"assignment","vm":${vmRow('a', 2, '', 'in-use').row}}`,
      '{"type":"absent","hostname":"a"}',
    ]);
    t.strictSame(other.frames, []);
  },
);

t.test('a dashboard subscribed to a VM receives the columns of a dashboard', async (t) => {
  const { upsert, subscribeToVm, hub } = setUp();
  const dashboard = subscribeToVm('a', 'dashboard');
  upsert(vmRow('a', 1, 'secret'));
  t.strictSame(dashboard.frames, ['{"type":"status","vm":{"hostname":"a","version":1}}']);
  t.equal(hub.formatVmState('a', 'dashboard'), dashboard.frames[0]);
});

t.test('the state of a VM is its row, or absent', async (t) => {
  const { upsert, delete: remove, hub } = setUp();
  t.equal(hub.formatVmState('a', 'full'), '{"type":"absent","hostname":"a"}', 'unknown');
  upsert(vmRow('a', 1));
  t.equal(hub.formatVmState('a', 'full'), `{"type":"status","vm":${vmRow('a', 1).row}}`);
  remove('a');
  t.equal(hub.formatVmState('a', 'full'), '{"type":"absent","hostname":"a"}', 'deleted');
});

t.test('an unsubscribed VM subscriber receives nothing more; the others do', async (t) => {
  const { hub, upsert, subscribeToVm } = setUp();
  const [left, stays] = [subscribeToVm('a', 'full'), subscribeToVm('a', 'full')];
  hub.unsubscribeFromVm(left);
  hub.unsubscribeFromVm(left);
  upsert(vmRow('a', 1));
  t.strictSame([left.frames.length, stays.frames.length], [0, 1]);
  hub.unsubscribeFromVm(stays);
  upsert(vmRow('a', 2));
  t.equal(stays.frames.length, 1);
  const back = subscribeToVm('a', 'full');
  upsert(vmRow('a', 3));
  t.equal(back.frames.length, 1, 'the hostname can be subscribed to again');
});

t.test('an unsubscribed fleet subscriber receives nothing more', async (t) => {
  const { hub, upsert, made, subscribeToFleet } = setUp();
  const subscriber = subscribeToFleet();
  hub.unsubscribeFromFleet(subscriber);
  upsert(vmRow('a', 1));
  hub.flush();
  hub.setLive(true);
  t.strictSame([subscriber.frames, subscriber.feedChanges, made], [[], 0, []]);
});

t.test('all subscribers are notified once whenever the feed goes live or stale', async (t) => {
  const { hub, subscribeToFleet, subscribeToVm } = setUp();
  const subscribers = [
    subscribeToFleet(),
    subscribeToFleet('dashboard', -1),
    subscribeToVm('a', 'full'),
  ];
  t.equal(hub.live, false, 'before the table was read');
  hub.setLive(false);
  t.strictSame(subscribers.map(({ feedChanges }) => feedChanges), [0, 0, 0]); // prettier-ignore
  hub.setLive(true);
  hub.setLive(true);
  t.strictSame([hub.live, ...subscribers.map(({ feedChanges }) => feedChanges)], [true, 1, 1, 1]);
  hub.setLive(false);
  t.strictSame([hub.live, ...subscribers.map(({ feedChanges }) => feedChanges)], [false, 2, 2, 2]);
});

t.test('a subscriber that leaves during a push receives nothing; the others all do', async (t) => {
  const { hub, upsert, subscribeToFleet, subscribeToVm } = setUp();
  const leavesWith = subscribeToFleet('full', 0, () => {
    hub.unsubscribeFromFleet(leavesWith);
    hub.unsubscribeFromFleet(leaver);
  });
  const leaver = subscribeToFleet();
  const stays = subscribeToFleet();
  const agentLeaves = subscribeToVm('a', 'full', () => {
    hub.unsubscribeFromVm(agentLeaves);
    hub.unsubscribeFromVm(agentLeaver);
  });
  const agentLeaver = subscribeToVm('a', 'full');
  const agentStays = subscribeToVm('a', 'full');
  upsert(vmRow('a', 1));
  hub.flush();
  upsert(vmRow('a', 2));
  hub.flush();
  const counts = [leavesWith, leaver, stays, agentLeaves, agentLeaver, agentStays];
  t.strictSame(counts.map(({ frames }) => frames.length), [1, 0, 2, 1, 0, 2]); // prettier-ignore
});

t.test('the last subscriber of a VM may leave during its push', async (t) => {
  const { hub, upsert, subscribeToVm } = setUp();
  const leaves = subscribeToVm('a', 'full', () => hub.unsubscribeFromVm(leaves));
  const stays = subscribeToVm('b', 'full');
  leaves.sendFeedState = () => hub.unsubscribeFromVm(leaves);
  hub.setLive(true);
  hub.subscribeToVm(leaves);
  upsert(vmRow('a', 1));
  upsert(vmRow('a', 2));
  t.strictSame([leaves.frames.length, stays.feedChanges], [1, 1]);
});

t.test('a subscriber that throws does not keep later changes from the others', async (t) => {
  const { hub, upsert, pending, subscribeToFleet, subscribeToVm } = setUp();
  const failure = new Error('broken');
  let broken = true;
  const fail = (): void => {
    if (broken) throw failure;
  };
  subscribeToVm('a', 'full', fail);
  subscribeToFleet('full', 0, fail);
  t.throws(() => upsert(vmRow('a', 1)), failure);
  t.equal(pending(), 1, 'the flush was requested nevertheless');
  t.throws(() => hub.flush(), failure);
  broken = false;
  const subscriber = subscribeToFleet();
  upsert(vmRow('a', 2));
  t.equal(pending(), 2);
  hub.flush();
  t.strictSame(subscriber.texts(), [changes('e.2', upserted(vmRow('a', 2)))]);
});

t.test('no memory is kept for subscribers that left', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collectGarbage: unknown = vm.runInNewContext('gc');
  if (typeof collectGarbage !== 'function') throw new Error('no way to collect garbage');
  const { hub, subscribeToVm, subscribeToFleet } = setUp();
  const bytesKept = (): number => {
    Reflect.apply(collectGarbage, undefined, []);
    return process.memoryUsage().heapUsed;
  };
  const comeAndGo = (count: number): void => {
    for (let i = 0; i < count; i++) {
      hub.unsubscribeFromVm(subscribeToVm(`${'x'.repeat(200)}${i}`, 'full'));
      hub.unsubscribeFromFleet(subscribeToFleet());
    }
  };
  comeAndGo(1_000);
  const before = bytesKept();
  comeAndGo(50_000);
  const kept = bytesKept() - before;
  t.ok(kept < 50_000 * 40, `${kept} bytes: less than 40 of each`);
});

t.test('it returns the number of pushes, whether subscribers are writable or not', async (t) => {
  const { hub, upsert, subscribeToVm, subscribeToFleet } = setUp();
  t.equal(upsert(vmRow('a', 1)), 0);
  t.equal(hub.flush(), 0, 'no subscriber');
  subscribeToVm('a', 'full');
  subscribeToVm('a', 'dashboard');
  subscribeToVm('b', 'full');
  subscribeToFleet('full');
  subscribeToFleet('dashboard');
  subscribeToFleet('full', 0);
  t.equal(upsert(vmRow('a', 2)), 2);
  t.equal(hub.flush(), 2, 'one lags');
  t.equal(hub.flush(), 0, 'nothing has changed');
});
