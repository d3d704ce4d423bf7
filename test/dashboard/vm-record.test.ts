// The values that a record derives from its row and its agent's presence.

import t from 'tap';
import { labelDelivery, explainStage } from '../../src/dashboard/model/delivery-labels.js';
import { FleetStore } from '../../src/dashboard/model/fleet-store.js';
import { delivery, presence, record, vm } from './records.js';

const NOW = Date.parse('2026-03-02T09:30:10Z');
const formatDelivery = (...record: Parameters<typeof labelDelivery>): string => {
  const { text, figure } = labelDelivery(...record);
  return `${text} ${figure}`.trim();
};
const AT = '2026-03-02T09:30:00.250Z';

t.test('the stage of a delivery and its label', async (t) => {
  const assigned = { status: 'in-use', assignment_id: 'one' };
  for (const [stage, waiting, words, known] of [
    ['made', true, 'Waiting 9 s', undefined],
    ['made', true, 'Waiting 9 s', { delivery: delivery('another', { acked_at: AT }) }],
    ['acknowledged', false, 'Acknowledged', { acked_assignment_id: 'one' }],
    ['made', true, 'Waiting 10 s', { delivery: delivery('one') }],
    ['pushed', true, 'Waiting 10 s', { delivery: delivery('one', { pushed_at: AT }) }],
    ['acknowledged', false, 'Acknowledged 250 ms', { delivery: delivery('one', { acked_at: AT }) }],
    [
      'ended',
      false,
      'Succeeded',
      { delivery: delivery('one', { ended_at: AT, outcome: 'succeeded', exit_code: 0 }) },
    ],
    [
      'ended',
      false,
      'Command failed, exit code 7',
      { delivery: delivery('one', { ended_at: AT, outcome: 'failed', exit_code: 7 }) },
    ],
  ] as const) {
    const one = record('vm-1', assigned, known);
    t.same([one.stage, one.waiting, formatDelivery(one, NOW)], [stage, waiting, words]);
  }
  t.same([record('vm-1').stage, formatDelivery(record('vm-1'), NOW)], ['none', '']);
  t.notOk(record('vm-1', { ...assigned, status: 'failed' }).waiting, 'a failed VM does not wait');
});

t.test('the dangers of a VM', async (t) => {
  const assigned = { status: 'in-use', assignment_id: 'one' };
  const ended = (outcome: 'failed' | 'succeeded' | 'stopped' | 'interrupted') => ({
    delivery: delivery('one', { acked_at: AT, ended_at: AT, outcome }),
  });
  for (const [dangers, columns, known] of [
    [[], {}, undefined],
    [['failed'], { status: 'failed' }, {}],
    [['away'], assigned, undefined],
    [[], assigned, {}],
    [['command-failed'], assigned, ended('failed')],
    [['command-failed'], assigned, ended('interrupted')],
    [[], assigned, ended('stopped')],
    [[], assigned, ended('succeeded')],
    [['duplicate'], {}, { duplicate: true }],
  ] as const)
    t.same(record('vm-1', columns, known).dangers, dangers);
  const late = record('vm-1', assigned, { delivery: delivery('one') });
  late.late = true;
  t.same(late.dangers, ['waiting']);
  t.match(explainStage(late), 'Not sent to the agent');
  late.setPresence(presence('vm-1', { delivery: delivery('one', { acked_at: AT }) }), 1);
  t.same(late.dangers, [], 'an acknowledged assignment is not late');
});

t.test('an assignment is late after ten seconds', async (t) => {
  const store = new FleetStore({ vm: () => undefined, presence: () => undefined });
  store.setVm('vm-1', vm('vm-1', { status: 'in-use', assignment_id: 'one' }), NOW);
  store.setPresence('vm-1', presence('vm-1', { delivery: delivery('one') }), NOW);
  t.notOk(store.markLate(NOW));
  t.equal(store.counters.endangered, 0);
  t.ok(store.markLate(NOW + 1));
  t.notOk(store.markLate(NOW + 2), 'each is marked once');
  t.equal(store.counters.endangered, 1);
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
