import v8 from 'node:v8';
import vm from 'node:vm';
import t from 'tap';
import type { Row } from '../../src/fleet/entry.js';
import { Fleet } from '../../src/fleet/fleet.js';
import { Hub } from '../../src/hub/hub.js';
import { createRowText, type RowText, type View } from '../../src/hub/views.js';
import { FleetRecorder, vmRow, VmRecorder } from './rows.js';

/** A hub that counts how often it asked to be flushed, and what texts it had made. */
function setUp(maxDeletions = 100) {
  const fleet = new Fleet('e', maxDeletions);
  const made: string[] = [];
  const text = createRowText(['hostname', 'version']);
  const rowText: RowText = (entry, view) => {
    made.push(`${view} ${entry.hostname}`);
    return text(entry, view);
  };
  let pending = 0;
  const hub = new Hub(fleet, rowText, () => pending++);
  return {
    fleet,
    hub,
    made,
    pending: () => pending,
    upsert: (row: Row) => hub.publish(fleet.upsert(row)),
    delete: (hostname: string) => hub.publish(fleet.delete(hostname, 1)),
    watchVm: (...args: ConstructorParameters<typeof VmRecorder>) => {
      const watcher = new VmRecorder(...args);
      hub.watchVm(watcher);
      return watcher;
    },
    watchFleet: (view: View = 'full', offset = fleet.head, onPush?: () => void) => {
      const watcher = new FleetRecorder(view, offset, onPush);
      hub.watchFleet(watcher);
      return watcher;
    },
  };
}

const changes = (cursor: string, ...told: unknown[]): string =>
  JSON.stringify({ type: 'changes', changes: told, cursor });
const upserted = (row: Row): unknown => ({ op: 'upsert', vm: JSON.parse(row.row) as unknown });

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
  t.equal(hub.vmState('a', 'dashboard'), dashboard.frames[0]);
});

t.test('the state of a VM is its row, or that there is none', async (t) => {
  const { upsert, delete: remove, hub } = setUp();
  t.equal(hub.vmState('a', 'full'), '{"type":"absent","hostname":"a"}', 'never heard of');
  upsert(vmRow('a', 1));
  t.equal(hub.vmState('a', 'full'), `{"type":"status","vm":${vmRow('a', 1).row}}`);
  remove('a');
  t.equal(hub.vmState('a', 'full'), '{"type":"absent","hostname":"a"}', 'deleted');
});

t.test('who stops watching a VM is told nothing more; the others are', async (t) => {
  const { hub, upsert, watchVm } = setUp();
  const [left, stays] = [watchVm('a', 'full'), watchVm('a', 'full')];
  hub.unwatchVm(left);
  hub.unwatchVm(left);
  upsert(vmRow('a', 1));
  t.strictSame([left.frames.length, stays.frames.length], [0, 1]);
  hub.unwatchVm(stays);
  upsert(vmRow('a', 2));
  t.equal(stays.frames.length, 1);
  const back = watchVm('a', 'full');
  upsert(vmRow('a', 3));
  t.equal(back.frames.length, 1, 'the hostname can be watched again');
});

t.test(
  'all who watch the fleet and keep up share one frame a flush: the same object',
  async (t) => {
    const { hub, upsert, delete: remove, watchFleet } = setUp();
    const watchers = [watchFleet('full'), watchFleet('full'), watchFleet('full')];
    upsert(vmRow('a', 1));
    upsert(vmRow('b', 1));
    remove('c');
    t.ok(
      watchers.every(({ frames }) => frames.length === 0),
      'nothing before the flush',
    );
    hub.flush();
    const told = [
      upserted(vmRow('a', 1)),
      upserted(vmRow('b', 1)),
      { op: 'delete', hostname: 'c' },
    ];
    for (const watcher of watchers) {
      t.strictSame(watcher.texts(), [changes('e.3', ...told)]);
      t.equal(watcher.frames[0], watchers[0]?.frames[0]);
      t.equal(watcher.offset, 3);
    }
    t.equal(hub.flushedTo, 3);
    hub.flush();
    t.ok(
      watchers.every(({ frames }) => frames.length === 1),
      'nothing without a change',
    );
  },
);

t.test(
  'a row that changed several times since the last flush is told once, as it is now',
  async (t) => {
    const { hub, upsert, watchFleet } = setUp();
    const watcher = watchFleet();
    upsert(vmRow('a', 1));
    upsert(vmRow('b', 1));
    upsert(vmRow('a', 2));
    hub.flush();
    t.strictSame(watcher.texts(), [
      changes('e.3', upserted(vmRow('b', 1)), upserted(vmRow('a', 2))),
    ]);
  },
);

t.test("each view's text is made only when somebody of that view watches", async (t) => {
  const { hub, upsert, made, watchFleet } = setUp();
  upsert(vmRow('a', 1));
  hub.flush();
  t.strictSame(made, [], 'nobody watches');
  const admin = watchFleet('full');
  upsert(vmRow('b', 1));
  hub.flush();
  t.strictSame(made.splice(0), ['full b']);
  const dashboards = [watchFleet('dashboard'), watchFleet('dashboard')];
  upsert(vmRow('c', 1, 'secret'));
  hub.flush();
  t.strictSame(made.splice(0), ['full c', 'dashboard c'], 'once for both dashboards');
  const dashboardChange = { op: 'upsert', vm: { hostname: 'c', version: 1 } };
  for (const { frames } of dashboards) t.equal(frames[0], dashboards[0]?.frames[0]);
  t.strictSame(dashboards[0]?.texts(), [changes('e.3', dashboardChange)]);
  t.equal(admin.texts()[1], changes('e.3', upserted(vmRow('c', 1, 'secret'))));
});

t.test('nothing is made for those who are behind alone', async (t) => {
  const { hub, upsert, made, watchFleet } = setUp();
  upsert(vmRow('a', 1));
  const behind = watchFleet('full', 0);
  upsert(vmRow('b', 1));
  hub.flush();
  t.strictSame([made, behind.frames], [[], []]);
});

t.test('a newcomer joins at a flush: the others are told first', async (t) => {
  const { hub, upsert, fleet, watchFleet } = setUp();
  const first = watchFleet();
  upsert(vmRow('a', 1));
  const newcomer = watchFleet();
  t.equal(first.frames.length, 1);
  t.equal(hub.flushedTo, fleet.head);
  t.equal(newcomer.frames.length, 0);
  upsert(vmRow('b', 1));
  hub.flush();
  t.equal(first.frames[1], newcomer.frames[0]);
});

t.test('a flush that is too large for a frame comes in several, in order', async (t) => {
  const { hub, upsert, watchFleet } = setUp();
  const watchers = [watchFleet(), watchFleet()];
  const rows = ['a', 'b', 'c'].map((hostname) => vmRow(hostname, 1, 'x'.repeat(40_000)));
  rows.forEach(upsert);
  hub.flush();
  const frames = rows.map((row, i) => changes(`e.${i + 1}`, upserted(row)));
  for (const watcher of watchers) t.strictSame(watcher.texts(), frames);
});

t.test('who has no room for the first frame of a flush does not get its second', async (t) => {
  const { hub, upsert, watchFleet } = setUp();
  const watcher = watchFleet();
  watcher.hasRoom = false;
  const other = watchFleet('full', undefined, () => (watcher.hasRoom = true));
  upsert(vmRow('a', 1, 'x'.repeat(40_000)));
  upsert(vmRow('b', 1, 'x'.repeat(40_000)));
  hub.flush();
  t.equal(other.frames.length, 2);
  t.strictSame([watcher.frames.length, watcher.offset], [0, 0]);
});

t.test('a flush is asked for at the first change after each flush, and only then', async (t) => {
  const { hub, upsert, delete: remove, pending, watchFleet } = setUp();
  upsert(vmRow('a', 1));
  t.equal(pending(), 1);
  upsert(vmRow('a', 2));
  remove('a');
  t.equal(pending(), 1);
  hub.flush();
  t.equal(pending(), 1);
  upsert(vmRow('a', 3));
  t.equal(pending(), 2);
  watchFleet();
  upsert(vmRow('a', 4));
  t.equal(pending(), 3, 'a newcomer flushed in between');
  hub.setLive(true);
  remove('a');
  t.equal(pending(), 4, 'the end of a gap flushed in between');
});

t.test('a hub on a fleet that is filled already begins at its head', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  let pending = 0;
  const hub = new Hub(fleet, createRowText([]), () => pending++);
  t.equal(hub.flushedTo, 1);
  hub.publish(fleet.upsert(vmRow('b', 1)));
  t.equal(pending, 1);
});

t.test('who stops watching the fleet is told nothing more', async (t) => {
  const { hub, upsert, made, watchFleet } = setUp();
  const watcher = watchFleet();
  hub.unwatchFleet(watcher);
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

t.test('what was learned in a gap is told before its end', async (t) => {
  const { hub, upsert, watchFleet } = setUp();
  const watcher = watchFleet();
  upsert(vmRow('a', 1));
  let framesThen = -1;
  watcher.feedChanged = () => (framesThen = watcher.frames.length);
  hub.setLive(true);
  t.equal(framesThen, 1);
});

t.test('deletions that were forgotten before they were told: all walk instead', async (t) => {
  const { hub, fleet, upsert, delete: remove, watchFleet } = setUp(1);
  for (const hostname of ['a', 'b', 'c']) upsert(vmRow(hostname, 1));
  const watchers = [watchFleet('full'), watchFleet('dashboard')];
  for (const hostname of ['a', 'b', 'c']) remove(hostname);
  fleet.dropOldDeletions();
  hub.flush();
  for (const watcher of watchers) {
    t.strictSame([watcher.catchUps, watcher.frames], [1, []], 'no frame could tell it all');
  }
  t.equal(hub.flushedTo, fleet.head);
  hub.flush();
  t.equal(watchers[0]?.catchUps, 1);
});

t.test('deletions that were told may be forgotten', async (t) => {
  const { hub, fleet, delete: remove, upsert, watchFleet } = setUp(1);
  const watcher = watchFleet();
  for (const hostname of ['a', 'b', 'c']) remove(hostname);
  hub.flush();
  fleet.dropOldDeletions();
  upsert(vmRow('d', 1));
  hub.flush();
  t.strictSame([watcher.catchUps, watcher.frames.length], [0, 2]);
});

t.test('who leaves while others are told is not told, and nobody is left out', async (t) => {
  const { hub, upsert, watchFleet, watchVm } = setUp();
  const leavesWith = watchFleet('full', 0, () => {
    hub.unwatchFleet(leavesWith);
    hub.unwatchFleet(leaver);
  });
  const leaver = watchFleet();
  const stays = watchFleet();
  const agentLeaves = watchVm('a', 'full', () => {
    hub.unwatchVm(agentLeaves);
    hub.unwatchVm(agentLeaver);
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
  const leaves = watchVm('a', 'full', () => hub.unwatchVm(leaves));
  const stays = watchVm('b', 'full');
  leaves.feedChanged = () => hub.unwatchVm(leaves);
  hub.setLive(true);
  hub.watchVm(leaves);
  upsert(vmRow('a', 1));
  upsert(vmRow('a', 2));
  t.strictSame([leaves.frames.length, stays.feedChanges], [1, 1]);
});

t.test(
  'a flush within a flush tells nobody anything twice, or an older state after a newer',
  async (t) => {
    const { hub, upsert, fleet, watchFleet } = setUp();
    let nested = false;
    const first = watchFleet('full', 0, () => {
      if (nested) return;
      nested = true;
      upsert(vmRow('a', 2));
      hub.flush();
    });
    const second = watchFleet();
    upsert(vmRow('a', 1));
    hub.flush();
    t.strictSame(first.texts(), [
      changes('e.1', upserted(vmRow('a', 1))),
      changes('e.2', upserted(vmRow('a', 2))),
    ]);
    t.strictSame(second.texts(), [changes('e.1', upserted(vmRow('a', 1)))], 'behind: it may walk');
    t.strictSame([hub.flushedTo, second.offset], [fleet.head, 1]);
  },
);

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
      hub.unwatchVm(watchVm(`${'x'.repeat(200)}${i}`, 'full'));
      hub.unwatchFleet(watchFleet());
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
