// The frames that fleet subscribers receive at a flush.

import t from 'tap';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { Hub } from '../../../src/gateway/hub/hub.js';
import { createRowProjector } from '../../../src/gateway/hub/projection.js';
import { vmRow } from './rows.js';
import { changes, setUp, upserted } from './setup.js';

t.test(
  'fleet subscribers that do not lag share one frame per flush: the same object',
  async (t) => {
    const { hub, upsert, delete: remove, subscribeToFleet } = setUp();
    const subscribers = [
      subscribeToFleet('full'),
      subscribeToFleet('full'),
      subscribeToFleet('full'),
    ];
    upsert(vmRow('a', 1));
    upsert(vmRow('b', 1));
    remove('c');
    t.ok(
      subscribers.every(({ frames }) => frames.length === 0),
      'nothing before the flush',
    );
    hub.flush();
    const expected = [
      upserted(vmRow('a', 1)),
      upserted(vmRow('b', 1)),
      { op: 'delete', hostname: 'c' },
    ];
    for (const subscriber of subscribers) {
      t.strictSame(subscriber.texts(), [changes('e.3', ...expected)]);
      t.equal(subscriber.frames[0], subscribers[0]?.frames[0]);
      t.equal(subscriber.offset, 3);
    }
    t.equal(hub.highWaterMark, 3);
    hub.flush();
    t.ok(
      subscribers.every(({ frames }) => frames.length === 1),
      'nothing without a change',
    );
  },
);

t.test(
  'a row that changed several times since the last flush is sent once, in its latest state',
  async (t) => {
    const { hub, upsert, subscribeToFleet } = setUp();
    const subscriber = subscribeToFleet();
    upsert(vmRow('a', 1));
    upsert(vmRow('b', 1));
    upsert(vmRow('a', 2));
    hub.flush();
    t.strictSame(subscriber.texts(), [
      changes('e.3', upserted(vmRow('b', 1)), upserted(vmRow('a', 2))),
    ]);
  },
);

t.test('the text of a projection is made only if a subscriber uses it', async (t) => {
  const { hub, upsert, made, subscribeToFleet } = setUp();
  upsert(vmRow('a', 1));
  hub.flush();
  t.strictSame(made, [], 'no subscriber');
  const admin = subscribeToFleet('full');
  upsert(vmRow('b', 1));
  hub.flush();
  t.strictSame(made.splice(0), ['full b']);
  const dashboards = [subscribeToFleet('dashboard'), subscribeToFleet('dashboard')];
  upsert(vmRow('c', 1, 'secret'));
  hub.flush();
  t.strictSame(made.splice(0), ['full c', 'dashboard c'], 'once for both dashboards');
  const dashboardChange = { op: 'upsert', vm: { hostname: 'c', version: 1 } };
  for (const { frames } of dashboards) t.equal(frames[0], dashboards[0]?.frames[0]);
  t.strictSame(dashboards[0]?.texts(), [changes('e.3', dashboardChange)]);
  t.equal(admin.texts()[1], changes('e.3', upserted(vmRow('c', 1, 'secret'))));
});

t.test('nothing is made if all subscribers lag', async (t) => {
  const { hub, upsert, made, subscribeToFleet } = setUp();
  upsert(vmRow('a', 1));
  const lagging = subscribeToFleet('full', 0);
  upsert(vmRow('b', 1));
  hub.flush();
  t.strictSame([made, lagging.frames], [[], []]);
});

t.test('a new subscriber joins at a flush: the others receive the changes first', async (t) => {
  const { hub, upsert, fleet, subscribeToFleet } = setUp();
  const first = subscribeToFleet();
  upsert(vmRow('a', 1));
  const joined = subscribeToFleet();
  t.equal(first.frames.length, 1);
  t.equal(hub.highWaterMark, fleet.head);
  t.equal(joined.frames.length, 0);
  upsert(vmRow('b', 1));
  hub.flush();
  t.equal(first.frames[1], joined.frames[0]);
});

t.test('a flush too large for one frame is sent in several, in order', async (t) => {
  const { hub, upsert, subscribeToFleet } = setUp();
  const subscribers = [subscribeToFleet(), subscribeToFleet()];
  const rows = ['a', 'b', 'c'].map((hostname) => vmRow(hostname, 1, 'x'.repeat(40_000)));
  rows.forEach(upsert);
  hub.flush();
  const frames = rows.map((row, i) => changes(`e.${i + 1}`, upserted(row)));
  for (const subscriber of subscribers) t.strictSame(subscriber.texts(), frames);
});

t.test(
  'a subscriber not writable for the first frame of a flush does not get the second',
  async (t) => {
    const { hub, upsert, subscribeToFleet } = setUp();
    const subscriber = subscribeToFleet();
    subscriber.isWritable = false;
    const other = subscribeToFleet('full', undefined, () => (subscriber.isWritable = true));
    upsert(vmRow('a', 1, 'x'.repeat(40_000)));
    upsert(vmRow('b', 1, 'x'.repeat(40_000)));
    hub.flush();
    t.equal(other.frames.length, 2);
    t.strictSame([subscriber.frames.length, subscriber.offset], [0, 0]);
  },
);

t.test('a flush is requested at the first change after each flush, and only then', async (t) => {
  const { hub, upsert, delete: remove, pending, subscribeToFleet } = setUp();
  upsert(vmRow('a', 1));
  t.equal(pending(), 1);
  upsert(vmRow('a', 2));
  remove('a');
  t.equal(pending(), 1);
  hub.flush();
  t.equal(pending(), 1);
  upsert(vmRow('a', 3));
  t.equal(pending(), 2);
  subscribeToFleet();
  upsert(vmRow('a', 4));
  t.equal(pending(), 3, 'a new subscriber flushed in between');
  hub.setLive(true);
  remove('a');
  t.equal(pending(), 4, 'going live flushed in between');
});

t.test('a hub on a filled fleet begins at its head', async (t) => {
  const fleet = new Fleet('e', 10);
  fleet.upsert(vmRow('a', 1));
  let pending = 0;
  const hub = new Hub(fleet, createRowProjector([]), () => pending++);
  t.equal(hub.highWaterMark, 1);
  hub.publish(fleet.upsert(vmRow('b', 1)));
  t.equal(pending, 1);
});

t.test('changes made while the feed was stale are sent before it goes live', async (t) => {
  const { hub, upsert, subscribeToFleet } = setUp();
  const subscriber = subscribeToFleet();
  upsert(vmRow('a', 1));
  let framesThen = -1;
  subscriber.sendFeedState = () => (framesThen = subscriber.frames.length);
  hub.setLive(true);
  t.equal(framesThen, 1);
});

t.test('if tombstones were pruned before they were sent, all subscribers catch up', async (t) => {
  const { hub, fleet, upsert, delete: remove, subscribeToFleet } = setUp(1);
  for (const hostname of ['a', 'b', 'c']) upsert(vmRow(hostname, 1));
  const subscribers = [subscribeToFleet('full'), subscribeToFleet('dashboard')];
  for (const hostname of ['a', 'b', 'c']) remove(hostname);
  fleet.pruneTombstones();
  hub.flush();
  for (const subscriber of subscribers) {
    t.strictSame(
      [subscriber.catchUps, subscriber.frames],
      [1, []],
      'no frame could describe all changes',
    );
  }
  t.equal(hub.highWaterMark, fleet.head);
  hub.flush();
  t.equal(subscribers[0]?.catchUps, 1);
});

t.test('tombstones that were sent may be pruned', async (t) => {
  const { hub, fleet, delete: remove, upsert, subscribeToFleet } = setUp(1);
  const subscriber = subscribeToFleet();
  for (const hostname of ['a', 'b', 'c']) remove(hostname);
  hub.flush();
  fleet.pruneTombstones();
  upsert(vmRow('d', 1));
  hub.flush();
  t.strictSame([subscriber.catchUps, subscriber.frames.length], [0, 2]);
});

t.test(
  'a flush within a flush sends nothing twice, and no older state after a newer',
  async (t) => {
    const { hub, upsert, fleet, subscribeToFleet } = setUp();
    let nested = false;
    const first = subscribeToFleet('full', 0, () => {
      if (nested) return;
      nested = true;
      upsert(vmRow('a', 2));
      hub.flush();
    });
    const second = subscribeToFleet();
    upsert(vmRow('a', 1));
    hub.flush();
    t.strictSame(first.texts(), [
      changes('e.1', upserted(vmRow('a', 1))),
      changes('e.2', upserted(vmRow('a', 2))),
    ]);
    t.strictSame(
      second.texts(),
      [changes('e.1', upserted(vmRow('a', 1)))],
      'lagging: it may catch up',
    );
    t.strictSame([hub.highWaterMark, second.offset], [fleet.head, 1]);
  },
);
