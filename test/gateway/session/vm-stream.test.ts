import t from 'tap';
import type { VmReader } from './readers.js';
import { World } from './world.js';

/** Summarizes the messages that a reader has received since the last call. */
function received(reader: VmReader): string[] {
  return reader.socket.messages().map((message) => {
    if (message.type === 'feed') return `live ${message.live}`;
    if ('vm' in message) return `${message.type} ${message.vm.hostname}${message.vm.version ?? ''}`;
    return message.type;
  });
}

t.test('the current state is sent at once', async (t) => {
  const world = new World();
  t.strictSame(received(world.watchVm('a')), ['absent']);
  world.upsert('a');
  t.strictSame(received(world.watchVm('a')), ['status a1']);
  world.upsert('a', 0, 'in-use');
  t.strictSame(received(world.watchVm('a')), ['assignment a2']);
  world.delete('a');
  t.strictSame(received(world.watchVm('a')), ['absent']);
});

t.test('each change of the VM is sent at once, in order, and no other', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  received(reader);
  world.upsert('a', 0, 'in-use');
  world.upsert('b');
  world.upsert('a', 0, 'failed');
  world.delete('a');
  t.strictSame(received(reader), ['assignment a1', 'status a3', 'absent']);
});

t.test('a socket that is not writable receives the latest state when it has drained', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  received(reader);
  t.notOk(reader.lagging);
  reader.socket.fill();
  for (let i = 0; i < 1_000; i++) world.upsert('a');
  t.ok(reader.lagging);
  t.equal(reader.state, 'lagging');
  t.strictSame(received(reader), []);
  reader.read();
  t.strictSame(received(reader), ['status a1000']);
  t.notOk(reader.lagging);
  t.equal(reader.state, 'live');
  reader.read();
  t.strictSame(received(reader), [], 'once');
});

t.test('a change counts as conflated only if a later one replaced it', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  world.upsert('a');
  t.equal(reader.conflated, 0, 'sent');
  reader.socket.fill();
  world.upsert('a');
  t.equal(reader.conflated, 0, 'still pending');
  world.upsert('a');
  world.upsert('a');
  t.equal(reader.conflated, 2);
  reader.read();
  t.equal(reader.conflated, 2, 'the last was sent');
  reader.socket.fill();
  world.upsert('a');
  reader.socket.drain();
  world.upsert('a');
  t.equal(reader.conflated, 3, 'the socket became writable before a drain');
});

t.test('a stale feed is reported at once, or when the socket is writable', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  received(reader);
  world.hub.setLive(true);
  t.strictSame(received(reader), ['live true']);
  reader.socket.fill();
  world.hub.setLive(false);
  t.ok(reader.lagging);
  t.strictSame(received(reader), []);
  reader.read();
  t.strictSame(received(reader), ['live false', 'absent']);
});

t.test('a client that left receives nothing more', async (t) => {
  const world = new World();
  const reader = world.watchVm('a');
  received(reader);
  world.leave(reader);
  world.upsert('a');
  world.hub.setLive(true);
  t.strictSame(received(reader), []);
});
