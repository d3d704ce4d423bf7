// The view always shows the rows that the query selects, in its order, and the counters always
// count all rows. Both are compared with filtering, sorting and counting from scratch.

import fc from 'fast-check';
import t from 'tap';
import { FleetStore } from '../../src/dashboard/model/fleet-store.js';
import {
  ORDERS,
  createComparator,
  createMatcher,
  type Query,
} from '../../src/dashboard/model/query.js';
import {
  groupStatus,
  STATUS_GROUPS,
  FleetCounters,
} from '../../src/dashboard/model/fleet-counters.js';
import { TableView } from '../../src/dashboard/model/table-view.js';
import { delivery, presence, vm } from './records.js';

const hostname = fc.constantFrom('vm-1', 'vm-2', 'vm-10', 'VM-2', 'b', 'a7', 'a10');
const time = fc.constantFrom('2026-01-01T00:00:00', '2026-01-01T00:00:01', null);
const row = fc.record({
  status: fc.constantFrom('available', 'in-use', 'failed', 'rebooting', ''),
  email: fc.constantFrom(null, 'ada@x', 'Bob@x'),
  updated_at: time,
  assignment_id: fc.constantFrom(null, 'one', 'two'),
});
const agent = fc.record({
  online: fc.boolean(),
  since: time,
  acked_assignment_id: fc.constantFrom(null, 'one'),
  delivery: fc.constantFrom(
    null,
    delivery('one'),
    delivery('two', { pushed_at: '2026-01-01T00:00:00Z', acked_at: '2026-01-01T00:00:01Z' }),
  ),
});
const query: fc.Arbitrary<Query> = fc.record({
  statuses: fc.subarray([...STATUS_GROUPS]),
  agent: fc.constantFrom(undefined, 'online', 'away'),
  waiting: fc.boolean(),
  search: fc.constantFrom('', 'vm', 'ADA', 'vm 2', '  '),
  attention: fc.boolean(),
  sort: fc.constantFrom(...ORDERS),
  descending: fc.boolean(),
});
const step = fc.oneof(
  fc.record({ hostname, set: row }),
  fc.record({ hostname, set: fc.constant(undefined) }),
  fc.record({ hostname, agent: fc.option(agent, { nil: undefined }) }),
  fc.record({ query }),
  fc.constant('frame' as const),
);

t.test('the view and the counters agree with a computation from scratch', async (t) => {
  fc.assert(
    fc.property(query, fc.array(step, { maxLength: 60 }), (first, steps) => {
      const store = new FleetStore({ vm: () => undefined, presence: () => undefined });
      const view = new TableView(store.records, first);
      for (const [nowMs, taken] of [...steps, 'frame' as const].entries()) {
        if (taken === 'frame') view.apply(store.takeChanged());
        else if ('query' in taken) view.query = taken.query;
        else if ('set' in taken) {
          store.setVm(taken.hostname, taken.set && vm(taken.hostname, taken.set), nowMs);
        } else {
          const known = taken.agent && presence(taken.hostname, taken.agent);
          store.setPresence(taken.hostname, known, nowMs);
        }
        if (taken !== 'frame') continue;
        const all = [...store.records.values()];
        const wanted = all.filter(createMatcher(view.query)).sort(createComparator(view.query));
        t.same(
          view.rows.map((record) => record.hostname),
          wanted.map((record) => record.hostname),
        );
        const counted = new FleetCounters();
        for (const record of all) counted.add(record);
        t.same(store.counters, counted);
      }
    }),
    { numRuns: 300 },
  );
});

t.test('a view whose query changes between two frames holds no row twice', async (t) => {
  const store = new FleetStore({ vm: () => undefined, presence: () => undefined });
  const everything = {
    statuses: [],
    agent: undefined,
    waiting: false,
    attention: false,
    search: '',
  };
  const view = new TableView(store.records, { ...everything, sort: 'hostname', descending: false });
  store.setVm('vm-1', vm('vm-1'), 0);
  view.query = { ...everything, sort: 'changed', descending: true };
  view.apply(store.takeChanged());
  t.equal(view.rows.length, 1);
  t.equal(groupStatus({ vm: vm('x', { status: 'rebooting' }) }), 'other');
});
