import t from 'tap';
import type { Projection } from '../../../src/gateway/hub/projection.js';
import { FleetStream } from '../../../src/gateway/session/fleet-stream.js';
import { MemorySocket } from '../../helpers/memory-socket.js';
import type { FleetReader } from './readers.js';
import { onlyFrame, World } from './world.js';

/** A world with rows so large that each part of a snapshot holds two. */
function largeRows(...hostnames: string[]): World {
  const world = new World(1);
  for (const hostname of hostnames) world.upsert(hostname, 15_000);
  world.flush();
  return world;
}

/** Summarizes the messages that a reader has received since the last call. */
function received(reader: FleetReader): string[] {
  return reader.socket.messages().map((message) => {
    if (message.type === 'snapshot') {
      const rows = message.vms.map(({ hostname, version }) => `${hostname}${version ?? ''}`);
      return `snapshot ${rows.join(' ')} ${message.cursor ?? 'more'}`;
    }
    if (message.type === 'changes') {
      const changes = message.changes.map((change) =>
        change.op === 'upsert'
          ? `${change.vm.hostname}${change.vm.version ?? ''}`
          : `-${change.hostname}`,
      );
      return `changes ${changes.join(' ')} ${message.cursor}`;
    }
    return message.type === 'feed' ? `live ${message.live}` : message.type;
  });
}

t.test('a new client receives a snapshot, in one part if it fits', async (t) => {
  const world = new World();
  world.upsert('a');
  world.upsert('b');
  world.delete('a');
  t.strictSame(received(world.watchFleet()), ['snapshot b2 epoch.3']);
});

t.test('a new client of an empty fleet receives an empty snapshot', async (t) => {
  t.strictSame(received(new World().watchFleet()), ['snapshot  epoch.0']);
});

t.test('a large snapshot is sent in parts, the last with the cursor', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  t.strictSame(received(world.watchFleet()), [
    'snapshot a1 b2 more',
    'snapshot c3 d4 more',
    'snapshot e5 epoch.5',
  ]);
});

t.test(
  'changes follow the snapshot, in frames shared by all clients that do not lag',
  async (t) => {
    const world = new World();
    world.upsert('a');
    const readers = [world.watchFleet(), world.watchFleet()] as const;
    for (const reader of readers) t.strictSame(received(reader), ['snapshot a1 epoch.1']);
    world.upsert('a');
    world.delete('a');
    world.upsert('b');
    world.flush();
    t.equal(onlyFrame(readers[0]), onlyFrame(readers[1]), 'the same object');
    for (const reader of readers) t.strictSame(received(reader), ['changes -a b4 epoch.4']);
  },
);

t.test('a client that resumes receives only what changed since, conflated', async (t) => {
  const world = new World();
  for (const hostname of ['a', 'b', 'c']) world.upsert(hostname);
  const former = world.watchFleet();
  former.update();
  world.leave(former);
  world.upsert('b');
  world.delete('c');
  world.upsert('b');
  const back = world.watchFleet('full', former);
  t.strictSame(received(back), ['changes -c b6 epoch.6']);
  t.equal(back.conflated, 1, 'b5');
});

t.test('a client that resumes and missed nothing receives one empty changes message', async (t) => {
  const world = new World();
  const former = world.watchFleet();
  former.update();
  world.leave(former);
  t.strictSame(
    received(world.watchFleet('full', former)),
    ['changes  epoch.0'],
    'of an empty fleet',
  );
  world.upsert('a');
  const reader = world.watchFleet();
  reader.update();
  world.leave(reader);
  const back = world.watchFleet('full', reader);
  t.strictSame(received(back), ['changes  epoch.1']);
  world.upsert('a');
  world.flush();
  t.strictSame(received(back), ['changes a2 epoch.2'], 'and is live');
});

t.test('a cursor that cannot be resumed leads to a snapshot', async (t) => {
  const world = new World(1);
  for (const hostname of ['a', 'b', 'c', 'd']) world.upsert(hostname);
  for (const hostname of ['a', 'b', 'c']) world.delete(hostname);
  world.fleet.pruneTombstones();
  const stream = (epoch: string, offset: number): string => {
    const socket = new MemorySocket();
    new FleetStream(world.hub, socket, 'full', { epoch, offset }).start();
    return socket.messages().map(({ type }) => type).join(); // prettier-ignore
  };
  t.equal(stream('other', 7), 'snapshot', 'of another process');
  t.equal(stream('epoch', 8), 'snapshot', 'beyond the end');
  t.equal(stream('epoch', 5), 'snapshot', 'older than a pruned tombstone');
  t.equal(stream('epoch', 6), 'changes', 'as old as the newest pruned tombstone');
});

t.test(
  'a socket that is not writable receives nothing, and the latest state when it has drained',
  async (t) => {
    const world = new World();
    const slow = world.watchFleet();
    const other = world.watchFleet();
    received(slow);
    slow.socket.fill();
    for (let i = 0; i < 1_000; i++) {
      world.upsert('a');
      world.upsert(i % 2 === 0 ? 'b' : 'c');
      world.flush();
    }
    world.delete('c');
    world.flush();
    t.strictSame(received(slow), []);
    t.ok(slow.lagging);
    t.notOk(other.lagging);
    slow.read(1);
    t.strictSame(received(slow), [], 'becoming writable is no drain');
    slow.read();
    t.strictSame(received(slow), ['changes b1998 a1999 -c epoch.2001']);
    t.notOk(slow.lagging);
    t.strictSame([slow.conflated, other.conflated], [1_998, 0]);
    world.upsert('d');
    world.flush();
    t.equal(onlyFrame(slow), other.socket.frames.at(-1), 'live again, at a flush');
  },
);

t.test('changes between a drain and a flush are sent with the flush', async (t) => {
  const world = new World();
  const reader = world.watchFleet();
  received(reader);
  reader.socket.fill();
  world.upsert('a');
  world.flush();
  t.equal(reader.state, 'lagging');
  world.upsert('b');
  reader.read();
  t.strictSame(received(reader), ['changes a1 epoch.1']);
  world.flush();
  t.strictSame(received(reader), ['changes b2 epoch.2']);
});

t.test('a catch-up stops when the socket is not writable, and continues from there', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const former = world.watchFleet();
  former.update();
  former.socket.fill();
  for (const hostname of ['a', 'b', 'c', 'd', 'e']) world.upsert(hostname, 15_000);
  world.flush();
  former.readSlowly(1);
  t.strictSame(received(former), ['changes a6 b7 epoch.7']);
  former.readSlowly(1);
  t.strictSame(received(former), ['changes c8 d9 epoch.9']);
  former.read();
  t.strictSame(received(former), ['changes e10 epoch.10']);
});

t.test('a row that changes during a catch-up is sent later, exactly once', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const reader = world.watchFleetSlowly(1);
  world.upsert('a', 15_000);
  world.upsert('d', 15_000);
  world.upsert('d', 15_000);
  world.flush();
  t.strictSame(received(reader), ['snapshot a1 b2 more']);
  t.equal(reader.state, 'catching_up');
  reader.read();
  t.strictSame([reader.state, reader.conflated], ['live', 0], 'a snapshot conflates nothing');
  t.strictSame(received(reader), ['snapshot c3 e5 more', 'snapshot a6 d8 epoch.8']);
});

t.test('a deletion during a snapshot is sent as a change after it', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e', 'f');
  world.delete('f');
  const reader = world.watchFleetSlowly(1);
  world.upsert('c');
  world.delete('a');
  world.upsert('b');
  world.flush();
  t.strictSame(received(reader), ['snapshot a1 b2 more']);
  reader.read();
  t.strictSame(received(reader), ['snapshot d4 e5 c8 epoch.8', 'changes -a b10 epoch.10']);
});

t.test('a snapshot ends early if a deletion comes next', async (t) => {
  const world = largeRows('a', 'b', 'c');
  const reader = world.watchFleetSlowly(1);
  world.delete('c');
  world.flush();
  reader.read();
  t.strictSame(received(reader), [
    'snapshot a1 b2 more',
    'snapshot  epoch.3',
    'changes -c epoch.4',
  ]);
});

t.test('a client in the middle of a snapshot is not pushed to', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const reader = world.watchFleetSlowly(1);
  reader.socket.bufferedAmount = 0;
  world.upsert('z');
  world.flush();
  t.strictSame(received(reader), ['snapshot a1 b2 more']);
  reader.read();
  t.strictSame(received(reader), ['snapshot c3 d4 more', 'snapshot e5 z6 epoch.6']);
});

t.test('a lagging client receives a new snapshot if tombstones it needs were pruned', async (t) => {
  const world = new World(1);
  for (const hostname of ['a', 'b', 'c']) world.upsert(hostname);
  const reader = world.watchFleet();
  received(reader);
  reader.socket.fill();
  for (const hostname of ['a', 'b', 'x']) world.delete(hostname);
  world.fleet.pruneTombstones();
  world.flush();
  reader.read();
  t.strictSame(received(reader), ['snapshot c3 epoch.6']);
});

t.test(
  'a snapshot that must begin again is completed first: the next part is a first one',
  async (t) => {
    const world = largeRows('a', 'b', 'c', 'd', 'e');
    const reader = world.watchFleetSlowly(1);
    for (const hostname of ['a', 'b', 'c']) world.delete(hostname);
    world.fleet.pruneTombstones();
    world.flush();
    t.strictSame(received(reader), ['snapshot a1 b2 more']);
    reader.readSlowly(1);
    t.strictSame(received(reader), ['snapshot  epoch.2']);
    const ended = { epoch: 'epoch', offset: 2 };
    t.notOk(world.fleet.canResume(ended), 'no client can resume in its middle');
    world.delete('x');
    world.delete('y');
    world.fleet.pruneTombstones();
    world.flush();
    reader.read();
    t.strictSame(received(reader), ['snapshot d4 e5 epoch.10'], 'ended once');
  },
);

t.test('tombstones from before a snapshot may be pruned during it', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  for (const hostname of ['x', 'y', 'z']) world.delete(hostname);
  const reader = world.watchFleetSlowly(1);
  world.fleet.pruneTombstones();
  reader.read();
  t.strictSame(received(reader), [
    'snapshot a1 b2 more',
    'snapshot c3 d4 more',
    'snapshot e5 epoch.8',
  ]);
});

t.test('if a table is emptied at once, all clients receive a new snapshot', async (t) => {
  const world = new World(10);
  for (let i = 0; i < 100; i++) world.upsert(`vm${i}`);
  const readers = [world.watchFleet('full'), world.watchFleet('dashboard'), world.watchFleet()];
  for (const reader of readers) reader.update();
  readers[2]?.socket.fill();
  for (let i = 0; i < 100; i++) world.delete(`vm${i}`);
  world.fleet.pruneTombstones();
  world.flush();
  for (const reader of readers) {
    reader.update();
    t.equal(reader.rows.size, reader === readers[2] ? 100 : 0);
  }
  world.settle();
  t.strictSame(readers.map(({ rows }) => rows.size), [0, 0, 0]); // prettier-ignore
});

t.test(
  'a client that does not lag is notified at once when the feed goes live or stale',
  async (t) => {
    const world = new World();
    const reader = world.watchFleet();
    received(reader);
    world.hub.setLive(true);
    world.upsert('a');
    world.hub.setLive(false);
    t.strictSame(received(reader), ['live true', 'changes a1 epoch.1', 'live false']);
  },
);

t.test(
  'a lagging client is notified of a stale feed when it drains, unless the feed is live again',
  async (t) => {
    const world = new World();
    world.hub.setLive(true);
    const reader = world.watchFleet();
    received(reader);
    reader.socket.fill();
    world.hub.setLive(false);
    t.ok(reader.lagging, 'the feed state is pending');
    t.strictSame(received(reader), []);
    reader.read();
    t.strictSame(received(reader), ['live false']);
    reader.socket.fill();
    world.hub.setLive(true);
    world.hub.setLive(false);
    t.notOk(reader.lagging);
    reader.read();
    t.strictSame(received(reader), []);
  },
);

t.test('a dashboard never receives more than its columns', async (t) => {
  const world = new World();
  world.upsert('a', 10);
  const projections: Projection[] = ['dashboard', 'full'];
  const readers = projections.map((projection) => world.watchFleet(projection));
  world.upsert('b', 10);
  world.flush();
  const texts = readers.map(({ socket }) => socket.take().join());
  t.notMatch(texts[0], 'crd_command');
  t.match(texts[1], 'crd_command');
});

t.test('a client that left receives nothing more', async (t) => {
  const world = new World();
  const reader = world.watchFleet();
  received(reader);
  world.leave(reader);
  world.upsert('a');
  world.flush();
  world.hub.setLive(true);
  t.strictSame(received(reader), []);
});

t.test('a socket that closes during a catch-up is sent nothing more', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const socket = new MemorySocket();
  const stream = new FleetStream(world.hub, socket, 'full', undefined);
  socket.onSend = () => stream.stop();
  stream.start();
  t.equal(socket.frames.length, 1);
  world.upsert('f');
  world.flush();
  stream.sendPending();
  t.equal(socket.frames.length, 1);
});
