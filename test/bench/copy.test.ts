// The benchmark's checker, checked: what it cannot find, no benchmark finds.

import t from 'tap';
import { Copy } from './copy.js';
import { readMessage } from './messages.js';
import type { PassResult } from './pass.js';
import { hostnameOf, stampOf, type TableState } from './rows.js';
import type { Scenario } from './scenarios.js';
import { Tally, type TallyReport } from './tally.js';
import { faultsOf } from './verdict.js';

const RECEIVED_US = 1_000;

/** A copy of three rows, and what it counted. */
function watch(): { copy: Copy; tally: Tally } {
  const tally = new Tally();
  tally.record(0);
  return { copy: new Copy(0, 3, tally), tally };
}

function table(...versions: number[]): TableState {
  return { versions, sentUs: versions.map((version) => version * 10) };
}

function told(row: number, version: number): { row: number; version: number; sentUs: number } {
  return { row, version, sentUs: version * 10 };
}

t.test('a copy that was told everything equals the table', async (t) => {
  const { copy, tally } = watch();
  for (const change of [told(0, 1), told(1, 2), told(2, 3), told(0, 4)]) {
    copy.take(change, RECEIVED_US);
  }
  t.equal(copy.differences(table(4, 2, 3), 0), 0);
  t.match(tally.report(), { delivered: 4, repeated: 0, outOfOrder: 0 });
});

t.test('a change that was lost shows as a row unlike the table', async (t) => {
  const { copy } = watch();
  for (const change of [told(0, 1), told(1, 2), told(2, 3)]) copy.take(change, RECEIVED_US);
  t.equal(copy.differences(table(4, 2, 3), 0), 1);
});

t.test('a row nobody told of is a difference, unless it did not change meanwhile', async (t) => {
  const { copy } = watch();
  copy.take(told(0, 4), RECEIVED_US);
  t.equal(copy.differences(table(4, 2, 3), 0), 2);
  t.equal(copy.differences(table(4, 2, 3), 2), 1);
  t.equal(copy.differences(table(4, 2, 3), 3), 0);
});

t.test(
  'an older version after a newer one is out of order, and the same one again a repeat',
  async (t) => {
    const { copy, tally } = watch();
    for (const version of [2, 1, 1]) copy.take(told(0, version), RECEIVED_US);
    t.match(tally.report(), { delivered: 1, repeated: 1, outOfOrder: 1 });
    t.equal(copy.differences(table(2, 0, 0), 0), 1);
  },
);

t.test('what was sent before counting began is not counted', async (t) => {
  const { copy, tally } = watch();
  tally.record(15);
  copy.take(told(0, 1), RECEIVED_US);
  copy.take(told(0, 2), RECEIVED_US);
  t.match(tally.report(), { delivered: 1 });
});

t.test('messages of both kinds of sockets are understood', async (t) => {
  const vm = { hostname: hostnameOf(7), email: stampOf(30), version: 3 };
  const changes = [{ row: 7, version: 3, sentUs: 30 }];
  const read = (message: unknown): unknown => readMessage(JSON.stringify(message));
  t.same(read({ type: 'assignment', vm }), { changes, complete: true });
  t.same(read({ type: 'snapshot', vms: [vm], more: true }), { changes, complete: false });
  t.same(read({ type: 'snapshot', vms: [vm], more: false }), { changes, complete: true });
  t.same(read({ type: 'changes', changes: [{ op: 'upsert', vm }] }), { changes, complete: true });
  t.same(read({ type: 'welcome' }), { changes: [], complete: false });
});

t.test(
  'a pass has faults when rows differ, order is broken, or an agent was not told',
  async (t) => {
    const scenario: Scenario = {
      ...{ name: 'any', agents: 1, dashboards: 1, rows: 1 },
      load: { kind: 'pace', perSecond: 10, durationMs: 1_000, rounds: 1 },
    };
    const result = passOf({ delivered: 10 });
    t.same(faultsOf(result, scenario), []);
    t.equal(faultsOf({ ...result, differences: 1 }, scenario).length, 1);
    t.equal(faultsOf(passOf({ delivered: 10, outOfOrder: 1 }), scenario).length, 1);
    t.equal(faultsOf(passOf({ delivered: 9 }), scenario).length, 1);
  },
);

function passOf(agents: Partial<TallyReport>): PassResult {
  const tally = new Tally().report();
  return {
    contender: 'gateway',
    agents: { ...tally, ...agents },
    dashboards: tally,
    changes: 10,
    writerLatenessUs: 0,
    cpuUs: [],
    settledUs: [],
    socketCost: undefined,
    differences: 0,
  };
}
