// What those who watch the fleet are told at a flush.

import t from 'tap';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { Hub } from '../../../src/gateway/hub/hub.js';
import { createRowProjector } from '../../../src/gateway/hub/projection.js';
import { vmRow } from './rows.js';
import { changes, setUp, upserted } from './setup.js';

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
    t.equal(hub.highWaterMark, 3);
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
  t.equal(hub.highWaterMark, fleet.head);
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
  const hub = new Hub(fleet, createRowProjector([]), () => pending++);
  t.equal(hub.highWaterMark, 1);
  hub.publish(fleet.upsert(vmRow('b', 1)));
  t.equal(pending, 1);
});

t.test('what was learned in a gap is told before its end', async (t) => {
  const { hub, upsert, watchFleet } = setUp();
  const watcher = watchFleet();
  upsert(vmRow('a', 1));
  let framesThen = -1;
  watcher.sendFeedState = () => (framesThen = watcher.frames.length);
  hub.setLive(true);
  t.equal(framesThen, 1);
});

t.test('deletions that were forgotten before they were told: all walk instead', async (t) => {
  const { hub, fleet, upsert, delete: remove, watchFleet } = setUp(1);
  for (const hostname of ['a', 'b', 'c']) upsert(vmRow(hostname, 1));
  const watchers = [watchFleet('full'), watchFleet('dashboard')];
  for (const hostname of ['a', 'b', 'c']) remove(hostname);
  fleet.pruneTombstones();
  hub.flush();
  for (const watcher of watchers) {
    t.strictSame([watcher.catchUps, watcher.frames], [1, []], 'no frame could tell it all');
  }
  t.equal(hub.highWaterMark, fleet.head);
  hub.flush();
  t.equal(watchers[0]?.catchUps, 1);
});

t.test('deletions that were told may be forgotten', async (t) => {
  const { hub, fleet, delete: remove, upsert, watchFleet } = setUp(1);
  const watcher = watchFleet();
  for (const hostname of ['a', 'b', 'c']) remove(hostname);
  hub.flush();
  fleet.pruneTombstones();
  upsert(vmRow('d', 1));
  hub.flush();
  t.strictSame([watcher.catchUps, watcher.frames.length], [0, 2]);
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
    t.strictSame([hub.highWaterMark, second.offset], [fleet.head, 1]);
  },
);
