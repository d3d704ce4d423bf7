// Watching one VM: state, events, iteration, and an agent's messages.

import t from 'tap';
import { createClient } from '../../src/client/index.js';
import { FakeGateway } from './fake-gateway.js';
import { assignment, events, phase, row, snapshot, status } from './rows.js';

t.test('a socket at the path of the VM, with the token as a subprotocol', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 'abc.def' }).watchVm('lab/1 ü');
  t.teardown(() => watch.close());
  const peer = await gateway.peers.next();
  t.equal(peer.target, '/v1/vms/lab%2F1%20%C3%BC');
  t.equal(peer.offered, 'lablink.v1,bearer.abc.def');
});

t.test('a gateway behind a path, and any of the four schemes', async (t) => {
  const gateway = await FakeGateway.start(t);
  for (const url of [`${gateway.url}/lab/`, `${gateway.url.replace('http', 'ws')}/lab?a#b`]) {
    const watch = createClient({ url, token: 't' }).watchVm('vm-1');
    t.equal((await gateway.peers.next()).target, '/lab/v1/vms/vm-1');
    watch.close();
  }
  t.throws(() => createClient({ url: 'ftp://gateway', token: 't' }), TypeError);
  t.throws(() => createClient({ url: 'gateway', token: 't' }), TypeError);
});

t.test('the state is available, as events and as an iteration', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  const updates = events(watch.on.bind(watch, 'update'));
  t.equal(watch.state, undefined, 'the state is not known yet');
  const peer = await gateway.welcomed();
  const sent = [
    status('vm-1'),
    assignment('vm-1', { version: 2, crd_command: 'echo "hi"' }),
    { type: 'absent', hostname: 'vm-1' },
  ];
  let seen = 0;
  peer.send(...sent.slice(0, 1));
  for await (const state of watch) {
    t.same(state, sent[seen]);
    t.same(await updates.next(), sent[seen]);
    t.same(watch.state, sent[seen]);
    if (++seen === sent.length) break;
    peer.send(...sent.slice(seen, seen + 1));
  }
  t.same(await watch.closed, {
    phase: 'closed',
    rejected: false,
    reason: 'closed by the program',
    code: undefined,
  });
  t.equal(await peer.closed, 1000, 'leaving the loop starts the close handshake');
});

t.test('a late iteration starts with the current state', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  (await gateway.welcomed()).send(assignment('vm-1'));
  await phase(watch, 'live');
  for await (const state of watch) {
    t.equal(state.type, 'assignment');
    break;
  }
});

t.test('a slow iteration gets the latest state, and no queue grows', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  const updates = events(watch.on.bind(watch, 'update'));
  const peer = await gateway.welcomed();
  const seen: unknown[] = [];
  peer.send(status('vm-1', { version: 0 }));
  for await (const state of watch) {
    seen.push(state.type === 'absent' ? undefined : state.vm.version);
    if (seen.length === 2) break;
    for (let version = 1; version <= 1_000; version++) peer.send(status('vm-1', { version }));
    for (let count = 0; count <= 1_000; count++) await updates.next();
  }
  t.same(seen, [0, 1_000]);
});

t.test('two iterations each get everything', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  const first = watch[Symbol.asyncIterator]();
  const second = watch[Symbol.asyncIterator]();
  const next = [first.next(), second.next()];
  (await gateway.welcomed()).send(status('vm-1'));
  for (const { value } of await Promise.all(next)) t.same(value, status('vm-1'));
  watch.close();
  t.same(await first.next(), { value: undefined, done: true });
  t.same(await second.next(), { value: undefined, done: true });
});

t.test('unknown columns are passed on', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const updates = events(watch.on.bind(watch, 'update'));
  (await gateway.welcomed()).send({ type: 'status', vm: row('vm-1', { zone: 'b' }), extra: 1 });
  t.match(await updates.next(), { vm: { zone: 'b' } });
});

t.test('an agent acknowledges and reports, and receives rejections', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const refusals = events(watch.on.bind(watch, 'rejection'));
  t.equal(watch.acknowledge('a-1'), false, 'there is no socket yet');
  const peer = await gateway.peers.next();
  t.equal(watch.acknowledge('a-1'), false, 'the gateway has not sent welcome yet');
  peer.welcome();
  peer.send(assignment('vm-1'));
  await phase(watch, 'live');

  t.equal(watch.acknowledge('a-1'), true);
  t.same(await peer.received.next(), { type: 'ack', assignment_id: 'a-1' });
  t.equal(watch.reportStatus('failed', 'a-1'), true);
  t.same(await peer.received.next(), { type: 'status', status: 'failed', assignment_id: 'a-1' });
  t.equal(watch.reportStatus('available'), true);
  t.same(await peer.received.next(), { type: 'status', status: 'available' });

  const refusal = { type: 'error', code: 'stale_assignment', message: 'no longer current' };
  peer.send(refusal);
  t.same(await refusals.next(), refusal);
  t.equal(watch.connection.phase, 'live', 'the connection stays open');

  peer.ws.terminate();
  await phase(watch, 'reconnecting');
  t.equal(watch.acknowledge('a-1'), false);
});

t.test('an assignment can be acknowledged in the listener', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  watch.on('update', (state) => {
    if (state.type === 'assignment') watch.acknowledge(state.vm.assignment_id ?? '');
  });
  const peer = await gateway.welcomed();
  peer.send(assignment('vm-1', { assignment_id: 'a-7' }));
  t.same(await peer.received.next(), { type: 'ack', assignment_id: 'a-7' });
});

t.test('a stale feed, and its recovery, are reported', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const peer = await gateway.welcomed({ live: false });
  peer.send(status('vm-1'));
  await phase(watch, 'stale');
  peer.send({ type: 'feed', live: true });
  await phase(watch, 'live');
  peer.send({ type: 'feed', live: false });
  await phase(watch, 'stale');
});

t.test('a watch is not live before it has the state', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const frames = events(watch.on.bind(watch, 'frame'));
  const peer = await gateway.welcomed();
  peer.send({ type: 'feed', live: true }, { type: 'pong' });
  for (let count = 0; count < 3; count++) await frames.next();
  t.equal(watch.connection.phase, 'connecting');
  peer.send(status('vm-1'));
  await phase(watch, 'live');
});

t.test('an exception in a listener disturbs no other listener', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  const thrown = new Promise((resolve) => {
    process.once('uncaughtException', resolve);
  });
  watch.on('update', () => {
    throw new Error('of the listener');
  });
  const updates = events(watch.on.bind(watch, 'update'));
  (await gateway.welcomed()).send(status('vm-1'));
  t.same(await updates.next(), status('vm-1'));
  t.match(await thrown, { message: 'of the listener' }, 'and it is not swallowed');
  await phase(watch, 'live');
});

t.test('a message about the fleet is misplaced', async (t) => {
  const gateway = await FakeGateway.start(t);
  const watch = createClient({ url: gateway.url, token: 't' }).watchVm('vm-1');
  t.teardown(() => watch.close());
  (await gateway.welcomed()).send(snapshot('g1.1', row('vm-1')));
  t.match(await phase(watch, 'reconnecting'), { code: 4400 });
  t.equal(watch.state, undefined);
});
