// Who is told what, when they come, when they leave, and when one of them fails.

import v8 from 'node:v8';
import vm from 'node:vm';
import t from 'tap';
import { vmRow } from './rows.js';
import { changes, setUp, upserted } from './setup.js';

t.test(
  'who watches a VM is told each of its changes at once, in order, and no other',
  async (t) => {
    const { upsert, delete: remove, watchVm } = setUp();
    const agent = watchVm('a', 'full');
    const other = watchVm('b', 'full');
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

t.test('a dashboard that watches a VM sees the columns of a dashboard', async (t) => {
  const { upsert, watchVm, hub } = setUp();
  const dashboard = watchVm('a', 'dashboard');
  upsert(vmRow('a', 1, 'secret'));
  t.strictSame(dashboard.frames, ['{"type":"status","vm":{"hostname":"a","version":1}}']);
  t.equal(hub.formatVmState('a', 'dashboard'), dashboard.frames[0]);
});

t.test('the state of a VM is its row, or that there is none', async (t) => {
  const { upsert, delete: remove, hub } = setUp();
  t.equal(hub.formatVmState('a', 'full'), '{"type":"absent","hostname":"a"}', 'never heard of');
  upsert(vmRow('a', 1));
  t.equal(hub.formatVmState('a', 'full'), `{"type":"status","vm":${vmRow('a', 1).row}}`);
  remove('a');
  t.equal(hub.formatVmState('a', 'full'), '{"type":"absent","hostname":"a"}', 'deleted');
});

t.test('who stops watching a VM is told nothing more; the others are', async (t) => {
  const { hub, upsert, watchVm } = setUp();
  const [left, stays] = [watchVm('a', 'full'), watchVm('a', 'full')];
  hub.unsubscribeFromVm(left);
  hub.unsubscribeFromVm(left);
  upsert(vmRow('a', 1));
  t.strictSame([left.frames.length, stays.frames.length], [0, 1]);
  hub.unsubscribeFromVm(stays);
  upsert(vmRow('a', 2));
  t.equal(stays.frames.length, 1);
  const back = watchVm('a', 'full');
  upsert(vmRow('a', 3));
  t.equal(back.frames.length, 1, 'the hostname can be watched again');
});

t.test('who stops watching the fleet is told nothing more', async (t) => {
  const { hub, upsert, made, watchFleet } = setUp();
  const watcher = watchFleet();
  hub.unsubscribeFromFleet(watcher);
  upsert(vmRow('a', 1));
  hub.flush();
  hub.setLive(true);
  t.strictSame([watcher.frames, watcher.feedChanges, made], [[], 0, []]);
});

t.test('everyone is told when the feed enters or leaves a gap, once each time', async (t) => {
  const { hub, watchFleet, watchVm } = setUp();
  const watchers = [watchFleet(), watchFleet('dashboard', -1), watchVm('a', 'full')];
  t.equal(hub.live, false, 'before the table was read');
  hub.setLive(false);
  t.strictSame(watchers.map(({ feedChanges }) => feedChanges), [0, 0, 0]); // prettier-ignore
  hub.setLive(true);
  hub.setLive(true);
  t.strictSame([hub.live, ...watchers.map(({ feedChanges }) => feedChanges)], [true, 1, 1, 1]);
  hub.setLive(false);
  t.strictSame([hub.live, ...watchers.map(({ feedChanges }) => feedChanges)], [false, 2, 2, 2]);
});

t.test('who leaves while others are told is not told, and nobody is left out', async (t) => {
  const { hub, upsert, watchFleet, watchVm } = setUp();
  const leavesWith = watchFleet('full', 0, () => {
    hub.unsubscribeFromFleet(leavesWith);
    hub.unsubscribeFromFleet(leaver);
  });
  const leaver = watchFleet();
  const stays = watchFleet();
  const agentLeaves = watchVm('a', 'full', () => {
    hub.unsubscribeFromVm(agentLeaves);
    hub.unsubscribeFromVm(agentLeaver);
  });
  const agentLeaver = watchVm('a', 'full');
  const agentStays = watchVm('a', 'full');
  upsert(vmRow('a', 1));
  hub.flush();
  upsert(vmRow('a', 2));
  hub.flush();
  const counts = [leavesWith, leaver, stays, agentLeaves, agentLeaver, agentStays];
  t.strictSame(counts.map(({ frames }) => frames.length), [1, 0, 2, 1, 0, 2]); // prettier-ignore
});

t.test('the last who watches a VM may leave while he is told', async (t) => {
  const { hub, upsert, watchVm } = setUp();
  const leaves = watchVm('a', 'full', () => hub.unsubscribeFromVm(leaves));
  const stays = watchVm('b', 'full');
  leaves.sendFeedState = () => hub.unsubscribeFromVm(leaves);
  hub.setLive(true);
  hub.subscribeToVm(leaves);
  upsert(vmRow('a', 1));
  upsert(vmRow('a', 2));
  t.strictSame([leaves.frames.length, stays.feedChanges], [1, 1]);
});

t.test('a watcher that fails does not keep the next changes from the others', async (t) => {
  const { hub, upsert, pending, watchFleet, watchVm } = setUp();
  const failure = new Error('broken');
  let broken = true;
  const fail = (): void => {
    if (broken) throw failure;
  };
  watchVm('a', 'full', fail);
  watchFleet('full', 0, fail);
  t.throws(() => upsert(vmRow('a', 1)), failure);
  t.equal(pending(), 1, 'the flush was asked for all the same');
  t.throws(() => hub.flush(), failure);
  broken = false;
  const watcher = watchFleet();
  upsert(vmRow('a', 2));
  t.equal(pending(), 2);
  hub.flush();
  t.strictSame(watcher.texts(), [changes('e.2', upserted(vmRow('a', 2)))]);
});

t.test('nothing is kept of those who have left', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collectGarbage: unknown = vm.runInNewContext('gc');
  if (typeof collectGarbage !== 'function') throw new Error('no way to collect garbage');
  const { hub, watchVm, watchFleet } = setUp();
  const bytesKept = (): number => {
    Reflect.apply(collectGarbage, undefined, []);
    return process.memoryUsage().heapUsed;
  };
  const comeAndGo = (count: number): void => {
    for (let i = 0; i < count; i++) {
      hub.unsubscribeFromVm(watchVm(`${'x'.repeat(200)}${i}`, 'full'));
      hub.unsubscribeFromFleet(watchFleet());
    }
  };
  comeAndGo(1_000);
  const before = bytesKept();
  comeAndGo(50_000);
  const kept = bytesKept() - before;
  t.ok(kept < 50_000 * 40, `${kept} bytes: less than 40 of each`);
});

t.test('it says how many it told, whether they have room or not', async (t) => {
  const { hub, upsert, watchVm, watchFleet } = setUp();
  t.equal(upsert(vmRow('a', 1)), 0);
  t.equal(hub.flush(), 0, 'nobody watches');
  watchVm('a', 'full');
  watchVm('a', 'dashboard');
  watchVm('b', 'full');
  watchFleet('full');
  watchFleet('dashboard');
  watchFleet('full', 0);
  t.equal(upsert(vmRow('a', 2)), 2);
  t.equal(hub.flush(), 2, 'one is behind');
  t.equal(hub.flush(), 0, 'nothing has changed');
});
