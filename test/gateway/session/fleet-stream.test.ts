import t from 'tap';
import type { Projection } from '../../../src/gateway/hub/projection.js';
import { FleetStream } from '../../../src/gateway/session/fleet-stream.js';
import { MemorySocket } from '../../helpers/memory-socket.js';
import type { FleetReader } from './readers.js';
import { onlyFrame, World } from './world.js';

/** A world with rows of which three make a piece and a bit: each part of a snapshot holds two. */
function largeRows(...hostnames: string[]): World {
  const world = new World(1);
  for (const hostname of hostnames) world.upsert(hostname, 30_000);
  world.flush();
  return world;
}

/** A short account of what a reader was told since the last call. */
function told(reader: FleetReader): string[] {
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

t.test('a newcomer gets a snapshot: in one part what fits one', async (t) => {
  const world = new World();
  world.upsert('a');
  world.upsert('b');
  world.delete('a');
  t.strictSame(told(world.watchFleet()), ['snapshot b2 epoch.3']);
});

t.test('a newcomer to an empty fleet is told that there is nothing', async (t) => {
  t.strictSame(told(new World().watchFleet()), ['snapshot  epoch.0']);
});

t.test('a large snapshot comes in parts, the last with the cursor', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  t.strictSame(told(world.watchFleet()), [
    'snapshot a1 b2 more',
    'snapshot c3 d4 more',
    'snapshot e5 epoch.5',
  ]);
});

t.test('changes follow the snapshot, in frames shared with all who keep up', async (t) => {
  const world = new World();
  world.upsert('a');
  const readers = [world.watchFleet(), world.watchFleet()] as const;
  for (const reader of readers) t.strictSame(told(reader), ['snapshot a1 epoch.1']);
  world.upsert('a');
  world.delete('a');
  world.upsert('b');
  world.flush();
  t.equal(onlyFrame(readers[0]), onlyFrame(readers[1]), 'the same object');
  for (const reader of readers) t.strictSame(told(reader), ['changes -a b4 epoch.4']);
});

t.test('a client that comes back receives only what changed meanwhile, conflated', async (t) => {
  const world = new World();
  for (const hostname of ['a', 'b', 'c']) world.upsert(hostname);
  const former = world.watchFleet();
  former.update();
  world.leave(former);
  world.upsert('b');
  world.delete('c');
  world.upsert('b');
  const back = world.watchFleet('full', former);
  t.strictSame(told(back), ['changes -c b6 epoch.6']);
  t.equal(back.conflated, 1, 'b5');
});

t.test('a client that comes back and missed nothing gets exactly one, empty changes', async (t) => {
  const world = new World();
  const former = world.watchFleet();
  former.update();
  world.leave(former);
  t.strictSame(told(world.watchFleet('full', former)), ['changes  epoch.0'], 'of an empty fleet');
  world.upsert('a');
  const reader = world.watchFleet();
  reader.update();
  world.leave(reader);
  const back = world.watchFleet('full', reader);
  t.strictSame(told(back), ['changes  epoch.1']);
  world.upsert('a');
  world.flush();
  t.strictSame(told(back), ['changes a2 epoch.2'], 'and is live');
});

t.test('a cursor that cannot be resumed gets a snapshot', async (t) => {
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
  t.equal(stream('epoch', 5), 'snapshot', 'older than a deletion that is forgotten');
  t.equal(stream('epoch', 6), 'changes', 'as old as the newest one that is forgotten');
});

t.test(
  'a socket without room gets nothing more, and the latest state when it has drained',
  async (t) => {
    const world = new World();
    const slow = world.watchFleet();
    const other = world.watchFleet();
    told(slow);
    slow.socket.fill();
    for (let i = 0; i < 1_000; i++) {
      world.upsert('a');
      world.upsert(i % 2 === 0 ? 'b' : 'c');
      world.flush();
    }
    world.delete('c');
    world.flush();
    t.strictSame(told(slow), []);
    t.ok(slow.behind);
    t.notOk(other.behind);
    slow.read(1);
    t.strictSame(told(slow), [], 'room is no drain');
    slow.read();
    t.strictSame(told(slow), ['changes b1998 a1999 -c epoch.2001']);
    t.notOk(slow.behind);
    t.strictSame([slow.conflated, other.conflated], [1_998, 0]);
    world.upsert('d');
    world.flush();
    t.equal(onlyFrame(slow), other.socket.frames.at(-1), 'live again, at a flush');
  },
);

t.test('what changes between a drain and a flush comes with the flush', async (t) => {
  const world = new World();
  const reader = world.watchFleet();
  told(reader);
  reader.socket.fill();
  world.upsert('a');
  world.flush();
  t.equal(reader.state, 'lagging');
  world.upsert('b');
  reader.read();
  t.strictSame(told(reader), ['changes a1 epoch.1']);
  world.flush();
  t.strictSame(told(reader), ['changes b2 epoch.2']);
});

t.test('a walk stops where room ends, and goes on from there', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const former = world.watchFleet();
  former.update();
  former.socket.fill();
  for (const hostname of ['a', 'b', 'c', 'd', 'e']) world.upsert(hostname, 30_000);
  world.flush();
  former.readSlowly(1);
  t.strictSame(told(former), ['changes a6 b7 epoch.7']);
  former.readSlowly(1);
  t.strictSame(told(former), ['changes c8 d9 epoch.9']);
  former.read();
  t.strictSame(told(former), ['changes e10 epoch.10']);
});

t.test('a row that changes while someone walks is met later, exactly once', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const reader = world.watchFleetSlowly(1);
  world.upsert('a', 30_000);
  world.upsert('d', 30_000);
  world.upsert('d', 30_000);
  world.flush();
  t.strictSame(told(reader), ['snapshot a1 b2 more']);
  t.equal(reader.state, 'catching_up');
  reader.read();
  t.strictSame([reader.state, reader.conflated], ['live', 0], 'a snapshot conflates nothing');
  t.strictSame(told(reader), ['snapshot c3 e5 more', 'snapshot a6 d8 epoch.8']);
});

t.test('a deletion made while a snapshot is under way is told as a change after it', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e', 'f');
  world.delete('f');
  const reader = world.watchFleetSlowly(1);
  world.upsert('c');
  world.delete('a');
  world.upsert('b');
  world.flush();
  t.strictSame(told(reader), ['snapshot a1 b2 more']);
  reader.read();
  t.strictSame(told(reader), ['snapshot d4 e5 c8 epoch.8', 'changes -a b10 epoch.10']);
});

t.test('a snapshot may end before anything more, because a deletion comes next', async (t) => {
  const world = largeRows('a', 'b', 'c');
  const reader = world.watchFleetSlowly(1);
  world.delete('c');
  world.flush();
  reader.read();
  t.strictSame(told(reader), ['snapshot a1 b2 more', 'snapshot  epoch.3', 'changes -c epoch.4']);
});

t.test('someone in the middle of a snapshot is not pushed to', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  const reader = world.watchFleetSlowly(1);
  reader.socket.bufferedAmount = 0;
  world.upsert('z');
  world.flush();
  t.strictSame(told(reader), ['snapshot a1 b2 more']);
  reader.read();
  t.strictSame(told(reader), ['snapshot c3 d4 more', 'snapshot e5 z6 epoch.6']);
});

t.test('someone behind starts over when deletions he has not met are forgotten', async (t) => {
  const world = new World(1);
  for (const hostname of ['a', 'b', 'c']) world.upsert(hostname);
  const reader = world.watchFleet();
  told(reader);
  reader.socket.fill();
  for (const hostname of ['a', 'b', 'x']) world.delete(hostname);
  world.fleet.pruneTombstones();
  world.flush();
  reader.read();
  t.strictSame(told(reader), ['snapshot c3 epoch.6']);
});

t.test(
  'a snapshot that must start over is ended first: what follows is a first part',
  async (t) => {
    const world = largeRows('a', 'b', 'c', 'd', 'e');
    const reader = world.watchFleetSlowly(1);
    for (const hostname of ['a', 'b', 'c']) world.delete(hostname);
    world.fleet.pruneTombstones();
    world.flush();
    t.strictSame(told(reader), ['snapshot a1 b2 more']);
    reader.readSlowly(1);
    t.strictSame(told(reader), ['snapshot  epoch.2']);
    const ended = { epoch: 'epoch', offset: 2 };
    t.notOk(world.fleet.canResume(ended), 'nobody can resume in its middle');
    world.delete('x');
    world.delete('y');
    world.fleet.pruneTombstones();
    world.flush();
    reader.read();
    t.strictSame(told(reader), ['snapshot d4 e5 epoch.10'], 'ended once');
  },
);

t.test('deletions from before a snapshot may be forgotten while it is under way', async (t) => {
  const world = largeRows('a', 'b', 'c', 'd', 'e');
  for (const hostname of ['x', 'y', 'z']) world.delete(hostname);
  const reader = world.watchFleetSlowly(1);
  world.fleet.pruneTombstones();
  reader.read();
  t.strictSame(told(reader), ['snapshot a1 b2 more', 'snapshot c3 d4 more', 'snapshot e5 epoch.8']);
});

t.test('a table emptied at once: those who kept up start over', async (t) => {
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

t.test('who keeps up is told at once that the feed entered or left a gap', async (t) => {
  const world = new World();
  const reader = world.watchFleet();
  told(reader);
  world.hub.setLive(true);
  world.upsert('a');
  world.hub.setLive(false);
  t.strictSame(told(reader), ['live true', 'changes a1 epoch.1', 'live false']);
});

t.test(
  'who was behind is told of the gap when it has drained, and nothing if it is over',
  async (t) => {
    const world = new World();
    world.hub.setLive(true);
    const reader = world.watchFleet();
    told(reader);
    reader.socket.fill();
    world.hub.setLive(false);
    t.ok(reader.behind, 'owed the news of the gap');
    t.strictSame(told(reader), []);
    reader.read();
    t.strictSame(told(reader), ['live false']);
    reader.socket.fill();
    world.hub.setLive(true);
    world.hub.setLive(false);
    t.notOk(reader.behind);
    reader.read();
    t.strictSame(told(reader), []);
  },
);

t.test('a dashboard never sees more than its columns', async (t) => {
  const world = new World();
  world.upsert('a', 10);
  const views: Projection[] = ['dashboard', 'full'];
  const readers = views.map((view) => world.watchFleet(view));
  world.upsert('b', 10);
  world.flush();
  const texts = readers.map(({ socket }) => socket.take().join());
  t.notMatch(texts[0], 'crd_command');
  t.match(texts[1], 'crd_command');
});

t.test('who has left is told nothing more', async (t) => {
  const world = new World();
  const reader = world.watchFleet();
  told(reader);
  world.leave(reader);
  world.upsert('a');
  world.flush();
  world.hub.setLive(true);
  t.strictSame(told(reader), []);
});

t.test('a socket that ends under a walk is sent nothing more', async (t) => {
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
