// Watching the fleet: the map is always a complete state, and a reconnect catches up on missed
// changes.

import fc from 'fast-check';
import t, { type Test } from 'tap';
import { createClient, type FleetUpdate, type WatchedVm } from '../../src/client/index.js';
import { FleetModel } from '../../src/client/fleet-model.js';
import { FakeGateway } from './fake-gateway.js';
import { ManualRuntime } from './manual-runtime.js';
import { assignment, changes, deletion, events, phase, row, snapshot, upsert } from './rows.js';

async function start(t: Test) {
  const gateway = await FakeGateway.start(t);
  const clock = new ManualRuntime();
  const watch = createClient({ url: gateway.url, token: 't' }, clock.runtime).watchFleet();
  t.teardown(() => watch.close());
  const updates = events<FleetUpdate>((listener) => watch.on('update', listener));
  /** Drops the socket, waits for the pause, and returns the next socket. */
  const comeBack = async (end: () => void) => {
    end();
    const { nextTryMs } = await phase(watch, 'reconnecting');
    clock.advance(nextTryMs - clock.nowMs);
    return gateway.welcomed();
  };
  return { gateway, clock, watch, updates, comeBack };
}

const part = (...vms: object[]) => ({ type: 'snapshot', vms, presence: [], more: true });

/** The hostnames, with each row's email now and before. */
function brief(update: FleetUpdate): Record<string, [now: unknown, before: unknown]> {
  const known = (vm: WatchedVm | undefined): unknown => (vm === undefined ? 'none' : vm.email);
  return Object.fromEntries(
    [...update].map(([hostname, { vm, before }]) => [hostname, [known(vm), known(before)]]),
  );
}

t.test('a snapshot in parts takes effect with its last part', async (t) => {
  const { gateway, watch, updates } = await start(t);
  const frames = events<string>((listener) => watch.on('frame', listener));
  const peer = await gateway.welcomed();
  t.equal(peer.target, '/v1/vms');
  peer.send(part(row('a'), row('b')), part());
  for (let count = 0; count < 3; count++) await frames.next();
  t.equal(watch.state.size, 0);
  t.equal(watch.connection.phase, 'connecting');

  peer.send(snapshot('g1.3', row('c')));
  t.same([...(await updates.next()).keys()], ['a', 'b', 'c']);
  t.same([...watch.state.keys()], ['a', 'b', 'c']);
  t.same(watch.state.get('a'), row('a'));
  t.equal(watch.connection.phase, 'live');
});

t.test('each change comes with the row that it replaces', async (t) => {
  const { gateway, watch, updates } = await start(t);
  const peer = await gateway.welcomed();
  peer.send(snapshot('g1.1', row('a', { email: 'ada' }), row('b', { email: 'bob' })));
  await updates.next();
  peer.send(
    changes(
      'g1.4',
      upsert(row('a', { email: 'eve' })),
      deletion('b'),
      upsert(row('c', { email: 'cy' })),
      { op: 'presence', hostname: 'a', online: true },
    ),
  );
  t.same(brief(await updates.next()), {
    a: ['eve', 'ada'],
    b: ['none', 'bob'],
    c: ['cy', 'none'],
  });
  t.same([...watch.state.keys()], ['a', 'c']);
});

t.test('after a lost socket the watch resumes from its cursor', async (t) => {
  const { gateway, watch, updates, comeBack } = await start(t);
  const peer = await gateway.welcomed();
  peer.send(snapshot('g1.1', row('a')), changes('g1.2', upsert(row('b'))));
  await updates.next();
  await updates.next();

  const second = await comeBack(() => peer.ws.terminate());
  t.equal(second.target, '/v1/vms?cursor=g1.2');
  t.same([...watch.state.keys()], ['a', 'b'], 'meanwhile the last known state stays');
  t.equal(watch.connection.phase, 'connecting');
  second.send(changes('g1.3', deletion('a')));
  await updates.next();
  t.same([...watch.state.keys()], ['b']);
  t.equal(watch.connection.phase, 'live');

  const third = await comeBack(() => second.ws.close(1012));
  t.equal(third.target, '/v1/vms?cursor=g1.3');
  third.send(changes('g1.3'));
  t.same(brief(await updates.next()), {}, 'nothing changed');
  t.equal(watch.connection.phase, 'live');
});

t.test('a snapshot after a reconnect replaces the state', async (t) => {
  const { gateway, watch, updates, comeBack } = await start(t);
  const peer = await gateway.welcomed();
  peer.send(snapshot('g1.2', row('a', { email: 'ada' }), row('b', { email: 'bob' })));
  await updates.next();
  const { state } = watch;
  const second = await comeBack(() => peer.ws.terminate());
  const frames = events<string>((listener) => watch.on('frame', listener));
  second.send({ type: 'feed', live: true }, part(row('c', { email: 'cy' })));
  while (!(await frames.next()).includes('snapshot'));
  t.equal(watch.connection.phase, 'connecting', 'the state is still the old one');
  second.send(snapshot('g2.2', row('b', { email: 'eve' })));
  t.same(brief(await updates.next()), {
    a: ['none', 'ada'],
    b: ['eve', 'bob'],
    c: ['cy', 'none'],
  });
  t.equal(watch.state, state, 'it is always the same map');
  t.same([...state.keys()].sort(), ['b', 'c']);
  const third = await comeBack(() => second.ws.terminate());
  t.equal(third.target, '/v1/vms?cursor=g2.2');
});

t.test('an unfinished snapshot leaves no trace', async (t) => {
  const { gateway, watch, updates, comeBack } = await start(t);
  const peer = await gateway.welcomed();
  peer.send(snapshot('g1.1', row('a')));
  await updates.next();
  const second = await comeBack(() => peer.ws.terminate());
  const frames = events<string>((listener) => watch.on('frame', listener));
  second.send(part(row('ghost')));
  await frames.next();
  const third = await comeBack(() => second.ws.terminate());
  t.equal(third.target, '/v1/vms?cursor=g1.1', 'the cursor is kept');
  third.send(snapshot('g3.1', row('b')));
  await updates.next();
  t.same([...watch.state.keys()], ['b']);
});

t.test('a misplaced message causes a resync', async (t) => {
  const misplaced: [name: string, messages: object[]][] = [
    ['changes of a fleet that was never told', [changes('g1.1', upsert(row('a')))]],
    [
      'changes inside a snapshot',
      [snapshot('g1.1', row('a')), part(row('a')), changes('g1.2', upsert(row('b')))],
    ],
    ['the state of one VM', [snapshot('g1.1', row('a')), assignment('a')]],
  ];
  for (const [name, messages] of misplaced) {
    t.test(name, async (t) => {
      const { gateway, clock, watch } = await start(t);
      const peer = await gateway.welcomed();
      peer.send(...messages);
      const { code, nextTryMs } = await phase(watch, 'reconnecting');
      t.equal(code, 4400);
      t.equal(await peer.closed, 4400);
      clock.advance(nextTryMs - clock.nowMs);
      t.equal((await gateway.peers.next()).target, '/v1/vms', 'without a cursor');
    });
  }
});

t.test('a slow consumer of an iteration gets many changes as one', async (t) => {
  const { gateway, watch, updates } = await start(t);
  const peer = await gateway.welcomed();
  peer.send(snapshot('g1.1', row('a', { email: 0 }), row('b', { email: 0 })));
  const seen: unknown[] = [];
  for await (const update of watch) {
    seen.push(brief(update));
    if (seen.length === 2) break;
    for (let round = 1; round <= 200; round++) {
      peer.send(
        changes('g1.2', upsert(row('a', { email: round })), upsert(row(`brief-${round}`))),
        changes('g1.3', deletion(`brief-${round}`), deletion('b')),
        changes('g1.4', upsert(row('b', { email: round })), upsert(row('new'))),
      );
    }
    for (let count = 0; count < 601; count++) await updates.next();
  }
  t.same(seen, [
    { a: [0, 'none'], b: [0, 'none'] },
    { a: [200, 0], b: [200, 0], new: [null, 'none'] },
  ]);
});

t.test('a late consumer gets the whole state first', async (t) => {
  const { gateway, watch, updates } = await start(t);
  const peer = await gateway.welcomed();
  peer.send(snapshot('g1.1', row('a')));
  await updates.next();
  for await (const update of watch) {
    t.same(brief(update), { a: [null, 'none'] });
    break;
  }
});

t.test('an empty fleet is an update too', async (t) => {
  const { gateway, watch } = await start(t);
  (await gateway.welcomed()).send(snapshot('g1.0'));
  for await (const update of watch) {
    t.equal(update.size, 0);
    break;
  }
});

const hostname = fc.constantFrom('a', 'b', 'c', 'd');
const rows = fc.uniqueArray(hostname, { maxLength: 4 });
const step = fc.oneof(
  fc.record({ what: fc.constant('upsert' as const), hostname }),
  fc.record({ what: fc.constant('delete' as const), hostname }),
  fc.record({ what: fc.constant('snapshot' as const), rows }),
  fc.record({ what: fc.constant('look' as const) }),
);

t.test('a consumer that applies all updates has the state', (t) => {
  const run = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const model = new FleetModel();
    const pending = model.createPending();
    const held = new Map<string, WatchedVm>();
    let heldBefore = 0;
    let version = 0;
    const look = (): void => {
      const changes = pending.take() ?? new Map<never, never>();
      if (changes.size > heldBefore + model.state.size) throw new Error('it grows');
      for (const [name, { vm, before }] of changes) {
        if (held.get(name) !== before) throw new Error('not what was known before');
        if (vm === undefined) held.delete(name);
        else held.set(name, vm);
      }
      heldBefore = held.size;
    };
    const take = (message: Parameters<FleetModel['apply']>[0]): void => {
      const taken = model.apply(message);
      if (typeof taken === 'object') pending.add(taken.update);
    };
    const told = (names: readonly string[]) =>
      take({
        type: 'snapshot',
        vms: names.map((name) => row(name, { version: ++version })),
        presence: [],
        more: false,
        cursor: 'g1.1',
      });
    told([]);
    for (const step of steps) {
      if (step.what === 'look') look();
      else if (step.what === 'snapshot') told(step.rows);
      else {
        const vm = row(step.hostname, { version: ++version });
        const change =
          step.what === 'upsert'
            ? ({ op: 'upsert', vm } as const)
            : ({ op: 'delete', hostname: step.hostname } as const);
        take({ type: 'changes', changes: [change], cursor: 'g1.2' });
      }
    }
    look();
    return (
      held.size === model.state.size &&
      [...held].every(([name, vm]) => model.state.get(name) === vm)
    );
  });
  t.doesNotThrow(() => fc.assert(run, { numRuns: 2_000 }));
  t.end();
});
