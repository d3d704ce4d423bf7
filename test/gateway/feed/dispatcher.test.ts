// What becomes of each notification, and that none of them can throw.

import t from 'tap';
import { createIntake, type Outcome } from '../../../src/gateway/feed/dispatcher.js';
import { Truth } from '../../../src/gateway/feed/reconciler.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';

/** An intake into an empty fleet; `bugs` of the fan-out come out of `publish`. */
function intake(publish: () => void = () => undefined) {
  const fleet = new Fleet('epoch', 10);
  const truth = new Truth(fleet, publish);
  truth.beginRead();
  truth.finishRead({ rows: [], sequence: 0 });
  const log = {
    taken: [] as [string, Outcome][],
    rejected: [] as [string, string, number][],
    heartbeats: [] as string[],
    bugs: [] as unknown[],
    doubtful: 0,
    presence: [] as (readonly string[])[],
  };
  const take = createIntake(truth, {
    taken: (channel, outcome) => log.taken.push([channel, outcome]),
    rejected: (channel, reason, length) => log.rejected.push([channel, reason, length]),
    doubtful: () => log.doubtful++,
    presence: (hostnames) => log.presence.push(hostnames),
    heartbeat: (payload) => log.heartbeats.push(payload),
    bug: (error) => log.bugs.push(error),
  });
  return { fleet, truth, take, log };
}

const row = (version: number, hostname = 'vm-1'): string =>
  JSON.stringify({ hostname, version, status: 'available' });

t.test('a row applies, repeats, or is doubtful', async (t) => {
  const { fleet, truth, take, log } = intake();
  take('vm_updates', row(5));
  t.match(fleet.get('vm-1'), { version: 5, row: row(5) });
  take('vm_updates', row(5));
  t.equal(log.doubtful, 0);
  take('vm_updates', row(4));
  t.equal(log.doubtful, 1);
  t.same(truth.beginRead(), { kind: 'rows', hostnames: ['vm-1'] });
  t.same(log.taken, [
    ['vm_updates', 'applied'],
    ['vm_updates', 'repeat'],
    ['vm_updates', 'doubtful'],
  ]);
});

t.test('a notice has one row read, or all', async (t) => {
  const { truth, take, log } = intake();
  take('vm_changes', '{"op":"read","hostname":"vm-2"}');
  t.same(truth.beginRead(), { kind: 'rows', hostnames: ['vm-2'] });
  truth.abandonRead();
  take('vm_changes', '{"op":"read"}');
  t.same(truth.beginRead(), { kind: 'all' });
  t.equal(log.doubtful, 2);
  t.same(log.taken, Array(2).fill(['vm_changes', 'notice']));
});

t.test(
  'what is rejected is told by its length, and read if its hostname can be told',
  async (t) => {
    const { fleet, truth, take, log } = intake();
    take('vm_updates', 'secret');
    t.equal(truth.beginRead(), undefined, 'nothing to read');
    take('vm_updates', '{"hostname":"vm-3","version":"x"}');
    t.same(truth.beginRead(), { kind: 'rows', hostnames: ['vm-3'] });
    take('vm_changes', '{"op":"?"}');
    t.same(log.rejected, [
      ['vm_updates', 'not_json', 6],
      ['vm_updates', 'bad_version', 33],
      ['vm_changes', 'unknown_op', 10],
    ]);
    t.same(
      log.taken.map(([, outcome]) => outcome),
      ['rejected', 'rejected', 'rejected'],
    );
    t.equal(fleet.head, 0);
  },
);

t.test('any other channel is the heartbeat’s', async (t) => {
  const { take, log } = intake();
  take('lablink_gateway_1', row(1));
  take('lablink_gateway_1', '');
  t.same(log.heartbeats, [row(1), '']);
  t.same(log.taken, Array(2).fill(['lablink_gateway_1', 'heartbeat']));
});

t.test('it never throws, whatever becomes of what it takes', async (t) => {
  const bug = new Error('a bug');
  const { take, log } = intake(() => {
    throw bug;
  });
  take('vm_updates', row(1));
  t.same(log.bugs, [bug]);
  t.same(log.taken, []);
});

t.test(
  'whose presence is to be read is handed on; nonsense is rejected, and nothing read',
  async (t) => {
    const { take, log } = intake();
    take('vm_presence', '{"hostnames":["a","b"]}');
    take('vm_presence', '{"hostnames":[]}');
    t.same(log.presence, [['a', 'b'], []]);
    const nonsense = [
      '',
      '[]',
      '{}',
      '{"hostnames":"a"}',
      '{"hostnames":[1]}',
      '{"hostnames":["\\u0000"]}',
    ];
    for (const payload of nonsense) take('vm_presence', payload);
    t.equal(log.presence.length, 2);
    t.equal(log.rejected.length, nonsense.length);
    t.equal(log.doubtful, 0);
    t.same(
      log.taken.map(([, outcome]) => outcome),
      [...['notice', 'notice'], ...nonsense.map(() => 'rejected')],
    );
  },
);
