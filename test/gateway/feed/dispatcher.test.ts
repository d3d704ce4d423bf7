// The outcome of each notification, and that no notification makes the dispatcher throw.

import t from 'tap';
import { Dispatcher, type NotificationOutcome } from '../../../src/gateway/feed/dispatcher.js';
import { Reconciler } from '../../../src/gateway/feed/reconciler.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';

/**
 * A dispatcher into an empty fleet; `publish` may throw like a bug of the fan-out. `verified` is
 * the version at which every assignment is verified.
 */
function dispatching(publish: () => void = () => undefined, verified?: number) {
  const fleet = new Fleet('epoch', 10);
  const reconciler = new Reconciler(fleet, publish);
  reconciler.beginRead();
  reconciler.finishRead({ rows: [], sequence: 0 });
  const log = {
    handled: [] as [string, NotificationOutcome][],
    rejected: [] as [string, string, number][],
    heartbeats: [] as string[],
    bugs: [] as unknown[],
    invalidated: 0,
    revocations: 0,
    presence: [] as (readonly string[])[],
  };
  const dispatcher = new Dispatcher(reconciler, () => verified, {
    handled: (channel, outcome) => log.handled.push([channel, outcome]),
    rejected: (channel, reason, length) => log.rejected.push([channel, reason, length]),
    invalidated: () => log.invalidated++,
    presenceInvalidated: (hostnames) => log.presence.push(hostnames),
    revocationsInvalidated: () => log.revocations++,
    heartbeat: (payload) => log.heartbeats.push(payload),
    failed: (error) => log.bugs.push(error),
  });
  const handle = (channel: string, payload: string): void => dispatcher.handle(channel, payload);
  return { fleet, reconciler, handle, log };
}

const row = (version: number, hostname = 'vm-1'): string =>
  JSON.stringify({ hostname, version, status: 'available' });

t.test('a change of the revoked tokens is passed on, whatever its payload', async (t) => {
  const { handle, log } = dispatching();
  for (const payload of ['', 'x', '{"op":"read"}']) handle('vm_revocations', payload);
  t.equal(log.revocations, 3);
  t.same(log.handled.at(-1), ['vm_revocations', 'invalidation']);
  t.same([log.rejected, log.bugs, log.invalidated], [[], [], 0]);
});

t.test('a row is applied, a repeat, or stale', async (t) => {
  const { fleet, reconciler, handle, log } = dispatching();
  handle('vm_updates', row(5));
  t.match(fleet.get('vm-1'), { version: 5, row: row(5) });
  handle('vm_updates', row(5));
  t.equal(log.invalidated, 0);
  handle('vm_updates', row(4));
  t.equal(log.invalidated, 1);
  t.same(reconciler.beginRead(), { kind: 'rows', hostnames: ['vm-1'] });
  t.same(log.handled, [
    ['vm_updates', 'applied'],
    ['vm_updates', 'repeat'],
    ['vm_updates', 'stale'],
  ]);
});

t.test(
  'a row with an assignment applies if it is verified, and is read if it is not',
  async (t) => {
    const assigned = JSON.stringify({
      ...{ hostname: 'vm-1', version: 5, status: 'in-use', email: null, crd_command: 'run' },
      assignment_id: '00000000-0005-8000-8000-000000000000',
    });
    const verified = dispatching(undefined, 5);
    verified.handle('vm_updates', assigned);
    t.match(verified.fleet.get('vm-1'), { version: 5, row: assigned });
    t.equal(verified.log.invalidated, 0);

    const unverified = dispatching();
    unverified.handle('vm_updates', assigned);
    t.equal(unverified.fleet.get('vm-1'), undefined);
    t.equal(unverified.log.invalidated, 1);
    t.same(unverified.reconciler.beginRead(), { kind: 'rows', hostnames: ['vm-1'] });
    t.same(unverified.log.handled, [['vm_updates', 'unproven']]);
  },
);

t.test('an invalidation has one row read, or all', async (t) => {
  const { reconciler, handle, log } = dispatching();
  handle('vm_changes', '{"op":"read","hostname":"vm-2"}');
  t.same(reconciler.beginRead(), { kind: 'rows', hostnames: ['vm-2'] });
  reconciler.abandonRead();
  handle('vm_changes', '{"op":"read"}');
  t.same(reconciler.beginRead(), { kind: 'all' });
  t.equal(log.invalidated, 2);
  t.same(log.handled, Array(2).fill(['vm_changes', 'invalidation']));
});

t.test(
  'a rejected payload is reported by its length, and its row is read if it names one',
  async (t) => {
    const { fleet, reconciler, handle, log } = dispatching();
    handle('vm_updates', 'secret');
    t.equal(reconciler.beginRead(), undefined, 'nothing to read');
    handle('vm_updates', '{"hostname":"vm-3","version":"x"}');
    t.same(reconciler.beginRead(), { kind: 'rows', hostnames: ['vm-3'] });
    handle('vm_changes', '{"op":"?"}');
    t.same(log.rejected, [
      ['vm_updates', 'not_json', 6],
      ['vm_updates', 'bad_version', 33],
      ['vm_changes', 'unknown_op', 10],
    ]);
    t.same(
      log.handled.map(([, outcome]) => outcome),
      ['rejected', 'rejected', 'rejected'],
    );
    t.equal(fleet.head, 0);
  },
);

t.test('any other channel is the heartbeat’s', async (t) => {
  const { handle, log } = dispatching();
  handle('lablink_gateway_1', row(1));
  handle('lablink_gateway_1', '');
  t.same(log.heartbeats, [row(1), '']);
  t.same(log.handled, Array(2).fill(['lablink_gateway_1', 'heartbeat']));
});

t.test('it never throws, even if publishing does', async (t) => {
  const bug = new Error('a bug');
  const { handle, log } = dispatching(() => {
    throw bug;
  });
  handle('vm_updates', row(1));
  t.same(log.bugs, [bug]);
  t.same(log.handled, []);
});

t.test(
  'invalidated presence is passed on; an invalid payload is rejected, and nothing is read',
  async (t) => {
    const { handle, log } = dispatching();
    handle('vm_presence', '{"hostnames":["a","b"]}');
    handle('vm_presence', '{"hostnames":[]}');
    t.same(log.presence, [['a', 'b'], []]);
    const invalid = [
      '',
      '[]',
      '{}',
      '{"hostnames":"a"}',
      '{"hostnames":[1]}',
      '{"hostnames":["\\u0000"]}',
    ];
    for (const payload of invalid) handle('vm_presence', payload);
    t.equal(log.presence.length, 2);
    t.equal(log.rejected.length, invalid.length);
    t.equal(log.invalidated, 0);
    t.same(
      log.handled.map(([, outcome]) => outcome),
      [...['invalidation', 'invalidation'], ...invalid.map(() => 'rejected')],
    );
  },
);
