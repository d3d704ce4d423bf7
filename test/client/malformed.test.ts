// Frames that a gateway might send by mistake, or a newer gateway on purpose: none makes the client
// throw, and none leaves a wrong state.

import fc from 'fast-check';
import t from 'tap';
import { createClient } from '../../src/client/index.js';
import { readServerFrame } from '../../src/client/server-message.js';
import { FakeGateway } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { changes, deletion, events, phase, row, snapshot, upsert } from './rows.js';

const MALFORMED: readonly unknown[] = [
  '',
  'hello',
  '{"type":',
  null,
  7,
  'null',
  [],
  {},
  { type: 7 },
  { type: 'welcome' },
  { type: 'welcome', heartbeat_ms: 0, live: true },
  { type: 'welcome', heartbeat_ms: -1, live: true },
  { type: 'welcome', heartbeat_ms: 2 ** 31, live: true },
  { type: 'welcome', heartbeat_ms: '1000', live: true },
  { type: 'welcome', heartbeat_ms: 1000, live: 'yes' },
  { type: 'assignment' },
  { type: 'assignment', vm: null },
  { type: 'status', vm: {} },
  { type: 'status', vm: { hostname: 'a' } },
  { type: 'absent' },
  { type: 'snapshot' },
  { type: 'snapshot', vms: [], more: false },
  { type: 'snapshot', vms: [{ hostname: 7 }], more: true },
  { type: 'snapshot', vms: 'all', more: false, cursor: 'g1.1' },
  { type: 'changes', changes: [] },
  { type: 'changes', changes: [null], cursor: 'g1.1' },
  { type: 'changes', changes: [{}], cursor: 'g1.1' },
  { type: 'changes', changes: [{ op: 'upsert' }], cursor: 'g1.1' },
  { type: 'changes', changes: [{ op: 'delete' }], cursor: 'g1.1' },
  { type: 'feed' },
  { type: 'error', code: 'unavailable' },
];

const UNKNOWN: readonly unknown[] = [
  { type: 'tomorrow', field: 1 },
  { type: 'constructor' },
  { type: '__proto__' },
  { type: '' },
];

const toText = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

t.test('malformed and unknown frames are distinguished', (t) => {
  for (const value of MALFORMED)
    t.equal(readServerFrame(toText(value)).kind, 'malformed', toText(value));
  for (const value of UNKNOWN)
    t.equal(readServerFrame(toText(value)).kind, 'unknown', toText(value));
  const kinds = new Set(['message', 'unknown', 'malformed']);
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom('welcome', 'snapshot', 'changes', 'status', 'error'),
        vm: fc.jsonValue(),
        vms: fc.jsonValue(),
        changes: fc.array(fc.jsonValue()),
        cursor: fc.jsonValue(),
        more: fc.jsonValue(),
      })
      .map((message) => JSON.stringify(message)),
  );
  const run = fc.property(anything, (text) => kinds.has(readServerFrame(text).kind));
  t.doesNotThrow(() => fc.assert(run, { numRuns: 5_000 }));
  t.end();
});

t.test('a malformed state message causes a resync, after a longer pause', async (t) => {
  for (const data of [
    '{"type":"changes","changes":[{"op":"upsert"}],"cursor":"g1.9"}',
    Buffer.from('{}'),
  ]) {
    const gateway = await FakeGateway.start(t);
    const clock = new ManualRuntime();
    const watch = createClient({ url: gateway.url, token: 't' }, clock.runtime).watchFleet();
    t.teardown(() => watch.close());
    const peer = await gateway.welcomed();
    peer.send(snapshot('g1.1', row('a')));
    await phase(watch, 'live');
    peer.ws.send(data);
    const { nextTryMs, reason } = await phase(watch, 'reconnecting');
    t.equal(reason, 'the gateway sent something malformed');
    t.equal(nextTryMs - clock.nowMs, 7_500);
    t.equal(await peer.closed, 4400);
    t.same([...watch.state.keys()], ['a'], 'the last right state stays');
    clock.advance(7_500);
    const next = await gateway.welcomed();
    t.equal(next.target, '/v1/vms');
    next.send(snapshot('g1.9', row('b')));
    await phase(watch, 'live');
    t.same([...watch.state.keys()], ['b']);
  }
});

t.test('unknown types and fields are ignored', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchFleet();
  t.teardown(() => watch.close());
  const frames = events<string>((listener) => watch.on('frame', listener));
  const peer = await gateway.welcomed({ colour: 'blue' });
  peer.send(snapshot('g1.1', row('a')), { type: 'tomorrow', field: [] });
  peer.send(changes('g1.2', { op: 'rename', from: 'a' }, { ...upsert(row('b')), by: 'eve' }));
  peer.send(changes('g1.3', deletion('a')));
  for (let count = 0; count < 5; count++) await frames.next();
  t.same([...watch.state.keys()], ['b']);
  t.equal(watch.connection.phase, 'live');
});
