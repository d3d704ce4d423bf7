import t from 'tap';
import type { VmReader } from './readers.js';
import { World } from './world.js';

/** A short account of what a reader was told since the last call. */
function told(reader: VmReader): string[] {
  return reader.socket.messages().map((message) => {
    if (message.type === 'feed') return `live ${message.live}`;
    if ('vm' in message) return `${message.type} ${message.vm.hostname}${message.vm.version ?? ''}`;
    return message.type;
  });
}

t.test('the current state comes at once, always', async (t) => {
  const world = new World();
  t.strictSame(told(world.watchVm('a')), ['absent']);
  world.upsert('a');
  t.strictSame(told(world.watchVm('a')), ['status a1']);
  world.upsert('a', 0, 'in-use');
  t.strictSame(told(world.watchVm('a')), ['assignment a2']);
  world.delete('a');
  t.strictSame(told(world.watchVm('a')), ['absent']);
});

t.test('each change of the VM comes at once, in order, and no other', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  told(reader);
  world.upsert('a', 0, 'in-use');
  world.upsert('b');
  world.upsert('a', 0, 'failed');
  world.delete('a');
  t.strictSame(told(reader), ['assignment a1', 'status a3', 'absent']);
});

t.test('a socket without room gets the latest state when it has drained', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  told(reader);
  t.notOk(reader.behind);
  reader.socket.fill();
  for (let i = 0; i < 1_000; i++) world.upsert('a');
  t.ok(reader.behind);
  t.equal(reader.state, 'lagging');
  t.strictSame(told(reader), []);
  reader.read();
  t.strictSame(told(reader), ['status a1000']);
  t.notOk(reader.behind);
  t.equal(reader.state, 'live');
  reader.read();
  t.strictSame(told(reader), [], 'once');
});

t.test('a change counts as conflated when a later one took its place, and only then', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  world.upsert('a');
  t.equal(reader.conflated, 0, 'told');
  reader.socket.fill();
  world.upsert('a');
  t.equal(reader.conflated, 0, 'still to be told');
  world.upsert('a');
  world.upsert('a');
  t.equal(reader.conflated, 2);
  reader.read();
  t.equal(reader.conflated, 2, 'the last was told');
  reader.socket.fill();
  world.upsert('a');
  reader.socket.drain();
  world.upsert('a');
  t.equal(reader.conflated, 3, 'there was room before anyone noticed');
});

t.test('a gap is told at once, or when there is room', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  told(reader);
  world.hub.setLive(true);
  t.strictSame(told(reader), ['live true']);
  reader.socket.fill();
  world.hub.setLive(false);
  t.ok(reader.behind);
  t.strictSame(told(reader), []);
  reader.read();
  t.strictSame(told(reader), ['live false', 'absent']);
});

t.test('who has left is told nothing more', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  told(reader);
  world.leave(reader);
  world.upsert('a');
  world.hub.setLive(true);
  t.strictSame(told(reader), []);
});
