// The values that a record derives from its row and its agent's presence.

import t from 'tap';
import { formatDelivery } from '../../src/dashboard/model/delivery-labels.js';
import { delivery, presence, record, vm } from './records.js';

const NOW = Date.parse('2026-03-02T09:30:10Z');
const AT = '2026-03-02T09:30:00.250Z';

t.test('the stage of a delivery and its label', async (t) => {
  const assigned = { status: 'in-use', assignment_id: 'one' };
  for (const [stage, waiting, words, known] of [
    ['made', true, 'not delivered', undefined],
    ['made', true, 'not delivered', { delivery: delivery('another', { acked_at: AT }) }],
    ['acknowledged', false, 'acknowledged', { acked_assignment_id: 'one' }],
    ['made', true, 'made 10 s ago', { delivery: delivery('one') }],
    ['pushed', true, 'pushed 9 s ago', { delivery: delivery('one', { pushed_at: AT }) }],
    [
      'acknowledged',
      false,
      'acknowledged in 250 ms',
      { delivery: delivery('one', { acked_at: AT }) },
    ],
    [
      'ended',
      false,
      'succeeded',
      { delivery: delivery('one', { ended_at: AT, outcome: 'succeeded', exit_code: 0 }) },
    ],
    [
      'ended',
      false,
      'failed, exit code 7',
      { delivery: delivery('one', { ended_at: AT, outcome: 'failed', exit_code: 7 }) },
    ],
  ] as const) {
    const one = record('vm-1', assigned, known);
    t.same([one.stage, one.waiting, formatDelivery(one, NOW)], [stage, waiting, words]);
  }
  t.same([record('vm-1').stage, formatDelivery(record('vm-1'), NOW)], ['none', '']);
  t.notOk(record('vm-1', { ...assigned, status: 'failed' }).waiting, 'a failed VM does not wait');
});

t.test('a cell is highlighted only if its content changes', async (t) => {
  const one = record('vm-1', { email: 'ada@example.com' });
  one.setVm(
    vm('vm-1', { email: 'ada@example.com', version: 2, updated_at: '2026-03-02T10:00:00' }),
    5,
  );
  t.same(one.cells.email.count + one.cells.status.count, 0);
  t.equal(one.changedAtMs, Date.parse('2026-03-02T10:00:00Z'));
  one.setVm(vm('vm-1', { status: 'in-use', assignment_id: 'one' }), 7);
  t.match(one.cells, {
    status: { count: 1, atMs: 7 },
    email: { count: 1 },
    delivery: { count: 1 },
  });
  t.equal(one.cells.agent.count, 0);
  one.setPresence(presence('vm-1'), 9);
  one.setPresence(presence('vm-1', { since: '2026-03-02T09:00:01Z' }), 11);
  t.match(one.cells.agent, { count: 1, atMs: 9 });
  t.ok(one.online);
  t.equal(one.revision, 4);
  one.setPresence(undefined, 13);
  t.notOk(one.online);
});
