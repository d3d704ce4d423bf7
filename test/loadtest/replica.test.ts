// The replica and the counters: no load test finds an error that they do not find.

import t from 'tap';
import { Replica } from '../../src/loadtest/replica.js';
import { createReader, readMessage } from '../../src/loadtest/messages.js';
import { formatHostname, formatStamp, type TableState } from '../../src/loadtest/rows.js';
import { DeliveryCounters } from '../../src/loadtest/counters.js';

const RECEIVED_US = 1_000;

/** Creates a replica of three rows, and its counters. */
function watch(): { copy: Replica; tally: DeliveryCounters } {
  const tally = new DeliveryCounters();
  tally.record(0);
  return { copy: new Replica(0, 3, tally), tally };
}

function table(...versions: number[]): TableState {
  return { versions, sentUs: versions.map((version) => version * 10) };
}

function told(row: number, version: number): { row: number; version: number; sentUs: number } {
  return { row, version, sentUs: version * 10 };
}

t.test('a replica that received everything equals the table', async (t) => {
  const { copy, tally } = watch();
  for (const change of [told(0, 1), told(1, 2), told(2, 3), told(0, 4)]) {
    copy.apply(change, RECEIVED_US, false);
  }
  t.equal(copy.countDifferences(table(4, 2, 3), 0), 0);
  t.match(tally.take(), { delivered: 4, duplicated: 0, outOfOrder: 0 });
});

t.test('a lost change is a difference from the table', async (t) => {
  const { copy } = watch();
  for (const change of [told(0, 1), told(1, 2), told(2, 3)]) copy.apply(change, RECEIVED_US, false);
  t.equal(copy.countDifferences(table(4, 2, 3), 0), 1);
});

t.test('an unknown row is a difference, unless it has not changed meanwhile', async (t) => {
  const { copy } = watch();
  copy.apply(told(0, 4), RECEIVED_US, false);
  t.equal(copy.countDifferences(table(4, 2, 3), 0), 2);
  t.equal(copy.countDifferences(table(4, 2, 3), 2), 1);
  t.equal(copy.countDifferences(table(4, 2, 3), 3), 0);
});

t.test(
  'an older version after a newer one is out of order, an equal one is a duplicate',
  async (t) => {
    const { copy, tally } = watch();
    for (const version of [2, 1, 1]) copy.apply(told(0, version), RECEIVED_US, false);
    t.match(tally.take(), { delivered: 1, duplicated: 1, outOfOrder: 1 });
    t.equal(copy.countDifferences(table(2, 0, 0), 0), 1);
  },
);

t.test('changes from before the recording are not counted', async (t) => {
  const { copy, tally } = watch();
  tally.record(15);
  copy.apply(told(0, 1), RECEIVED_US, false);
  copy.apply(told(0, 2), RECEIVED_US, false);
  t.match(tally.take(), { delivered: 1 });
});

t.test('the first state on a socket may repeat known rows', async (t) => {
  const { copy, tally } = watch();
  copy.apply(told(0, 2), RECEIVED_US, false);
  copy.apply(told(0, 2), RECEIVED_US, true);
  t.match(tally.take(), { duplicated: 0 });
  copy.apply(told(0, 1), RECEIVED_US, true);
  t.match(tally.take(), { outOfOrder: 1 }, 'but an older one is out of order');
});

t.test('counters restart after each report', async (t) => {
  const { copy, tally } = watch();
  copy.apply(told(0, 1), RECEIVED_US, false);
  copy.apply(told(0, 1), RECEIVED_US, false);
  t.match(tally.take(), { delivered: 1, duplicated: 1 });
  t.match(tally.take(), { delivered: 0, duplicated: 0, outOfOrder: 0, latencies: '' });
});

t.test('messages of agents and dashboards are read', async (t) => {
  const vm = { hostname: formatHostname(7), email: formatStamp(30), version: 3 };
  const changes = [{ row: 7, version: 3, sentUs: 30 }];
  const read = (message: unknown): unknown => readMessage(JSON.stringify(message));
  t.match(read({ type: 'assignment', vm }), { changes, complete: true, isState: false });
  t.match(read({ type: 'snapshot', vms: [vm], more: true }), { changes, complete: false });
  const last = { type: 'snapshot', vms: [vm], more: false, cursor: 'a.1' };
  t.match(read(last), { changes, complete: true, isState: true, cursor: 'a.1' });
  const upsert = { op: 'upsert', vm };
  const others = [
    { op: 'delete', hostname: vm.hostname },
    { op: 'presence', online: true },
  ];
  t.match(read({ type: 'changes', changes: [upsert, ...others], cursor: 'a.2' }), {
    ...{ changes, complete: true, isState: false, cursor: 'a.2' },
  });
  t.match(read({ type: 'welcome' }), { changes: [], complete: false });
  t.match(read({ type: 'absent', hostname: vm.hostname }), { changes: [], complete: false });
});

t.test('a repeated message is parsed once', async (t) => {
  const reader = createReader();
  const data = (version: number): Buffer =>
    Buffer.from(JSON.stringify({ type: 'status', vm: { hostname: formatHostname(1), version } }));
  const first = reader(data(1));
  t.equal(reader(data(1)), first);
  t.match(reader(data(2)).changes, [{ version: 2 }]);
});
