// The texts for users: changes, presence, the audit, problems, differences, the connection and
// times.

import t from 'tap';
import {
  ActivityLog,
  describeChange,
  describePresence,
  formatChangeKey,
} from '../../src/dashboard/model/activity.js';
import {
  describeGroup,
  filterActivity,
  groupActivity,
} from '../../src/dashboard/model/activity-groups.js';
import { describeConnection } from '../../src/dashboard/model/connection-labels.js';
import { listDifferences } from '../../src/dashboard/model/differences.js';
import {
  formatActor,
  describeEvent,
  describePastEvent,
  type AuditEvent,
} from '../../src/dashboard/model/history.js';
import { isConflict, explainProblem } from '../../src/dashboard/model/problem-labels.js';
import {
  formatAge,
  computeClockSkewMs,
  formatDuration,
  formatDateTime,
  parseTime,
  formatRemaining,
  formatTimeOfDay,
} from '../../src/dashboard/model/time.js';
import { delivery, presence, vm } from './records.js';

const ADA = { status: 'in-use', email: 'ada@x', assignment_id: 'one' };

t.test('a change of a row', async (t) => {
  const free = vm('vm-1');
  const hers = vm('vm-1', ADA);
  const failed = vm('vm-1', { ...ADA, status: 'failed' });
  for (const [before, after, words] of [
    [undefined, free, 'was registered, available'],
    [free, undefined, 'was deleted'],
    [undefined, undefined, undefined],
    [free, hers, 'was assigned to ada@x'],
    [hers, vm('vm-1', { ...ADA, email: 'bob@x', assignment_id: 'two' }), 'was assigned to bob@x'],
    [hers, vm('vm-1', { ...ADA, assignment_id: 'two' }), 'has a new command for ada@x'],
    [free, vm('vm-1', { status: 'in-use', assignment_id: 'x' }), 'was assigned to no person'],
    [hers, free, 'was released by ada@x'],
    [hers, failed, 'failed'],
    [failed, vm('vm-1', { status: 'failed' }), 'was released by ada@x'],
    [vm('vm-1', { status: 'failed' }), free, 'is available again'],
    [free, vm('vm-1', { status: 'rebooting' }), 'is rebooting'],
    [free, Object.assign(vm('vm-1'), { note: 'x' }), 'changed note'],
    [free, vm('vm-1', { version: 2, updated_at: 'later' }), undefined],
  ] as const) {
    t.equal(describeChange(before, after)?.text, words);
  }
});

t.test('a change of an agent’s presence', async (t) => {
  const words = (...pair: Parameters<typeof describePresence>): string[] =>
    describePresence(...pair).map((event) => event.text);
  const away = presence('vm-1', { online: false });
  const made = presence('vm-1', { delivery: delivery('one') });
  const at = '2026-03-02T09:30:01Z';
  const acked = presence('vm-1', { delivery: delivery('one', { acked_at: at }) });
  const outcome = { outcome: 'failed', exit_code: 2 } as const;
  const ended = presence('vm-1', {
    delivery: delivery('one', { acked_at: at, ended_at: at, ...outcome }),
  });
  t.same(words(undefined, away), []);
  t.same(words(away, made), ['came online']);
  t.same(words(made, undefined), ['went offline']);
  t.same(words(made, acked), ['acknowledged its assignment']);
  t.same(words(acked, acked), []);
  t.same(words(acked, ended), ['ended its command: failed, exit code 2']);
  t.same(words(made, { ...ended, online: false }), [
    'acknowledged its assignment',
    'ended its command: failed, exit code 2',
    'went offline',
  ]);
});

t.test('the activity log keeps the latest entries, up to its maximum', async (t) => {
  const activity = new ActivityLog();
  const empty = activity.entries;
  for (let n = 1; n <= 1_000; n++) activity.add(`vm-${n}`, { kind: 'failed', text: 'failed' }, n);
  t.equal(activity.entries.length, 200);
  t.equal(activity.entries[0]?.hostname, 'vm-1000');
  t.equal(activity.count, 1_000);
  t.not(activity.entries, empty);
  t.equal(activity.entries, activity.entries, 'the same array while nothing is added');
  const young = new ActivityLog();
  young.add('vm-2', { kind: 'failed', text: 'failed' }, 2);
  const past = { kind: 'failed', text: 'failed', version: 7, actor: 'admin:ada' } as const;
  young.addHistory([{ ...past, hostname: 'vm-1', atMs: 1 }]);
  t.same(
    young.entries.map(({ hostname }) => hostname),
    ['vm-2', 'vm-1'],
  );
  t.equal(young.count, 1);
});

t.test('the audit names who made a change, and no agent', async (t) => {
  const activity = new ActivityLog();
  activity.add('vm-1', { kind: 'failed', text: 'failed' }, 1, 7);
  activity.add('vm-1', { kind: 'deleted', text: 'was deleted' }, 2, null);
  activity.add('vm-1', { kind: 'online', text: 'came online' }, 3);
  activity.nameActors(
    new Map([
      [formatChangeKey('vm-1', 7), 'admin:ada'],
      [formatChangeKey('vm-1', null), 'admin:eve'],
    ]),
  );
  t.same(
    activity.entries.map(({ actor }) => actor),
    [undefined, 'admin:eve', 'admin:ada'],
  );
});

t.test('entries of one kind and actor are one line from four on', async (t) => {
  const activity = new ActivityLog();
  for (let n = 1; n <= 5; n++) {
    activity.add(`vm-${n}`, { kind: 'assigned', text: `was assigned to ${n}` }, n, n);
    if (n < 4) activity.add(`vm-${n}`, { kind: 'acknowledged', text: 'acknowledged' }, n);
  }
  activity.add('vm-9', { kind: 'assigned', text: 'was assigned' }, 60_000, 9);
  const groups = groupActivity(activity.entries);
  t.same(
    groups.map((group) => group.length),
    [1, 5, 1, 1, 1],
  );
  t.equal(groups[1] && describeGroup(groups[1]), '5 VMs were assigned');
  t.equal(filterActivity(activity.entries, 'agents').length, 3);
  t.equal(filterActivity(activity.entries, 'all'), activity.entries);
});

t.test('the audit', async (t) => {
  const event = (parts: Partial<AuditEvent>): AuditEvent => ({
    id: 1,
    at: '2026-03-02T09:30:00Z',
    op: 'update',
    hostname: 'vm-1',
    old_hostname: null,
    old_status: 'available',
    new_status: 'available',
    old_email: null,
    new_email: null,
    assignment_id: null,
    crd_command_changed: false,
    version: 1,
    database_user: 'lablink',
    actor: null,
    ...parts,
  });
  const assigned = { new_status: 'in-use', new_email: 'ada@x', crd_command_changed: true };
  for (const [words, parts] of [
    ['Registered, available', { op: 'insert' }],
    ['Deleted; was available, ada@x', { op: 'delete', old_email: 'ada@x' }],
    ['The whole table was emptied', { op: 'truncate' }],
    ['Available → in use, no person → ada@x, the command changed', assigned],
    ['Renamed from vm-0', { old_hostname: 'vm-0' }],
    ['Other columns changed', {}],
  ] as const) {
    t.equal(describeEvent(event(parts)), words);
  }
  for (const [words, parts] of [
    ['was registered, available', { op: 'insert' }],
    ['was deleted', { op: 'delete' }],
    [undefined, { op: 'truncate', hostname: null }],
    [undefined, {}],
    ['was assigned to ada@x', { ...assigned, assignment_id: 'one' }],
    [
      'has a new command for ada@x',
      { ...assigned, old_status: 'in-use', old_email: 'ada@x', assignment_id: 'two' },
    ],
    ['was released by ada@x', { old_status: 'in-use', old_email: 'ada@x' }],
    ['failed', { new_status: 'failed', assignment_id: 'one' }],
  ] as const) {
    t.equal(describePastEvent(event(parts))?.text, words);
  }
  t.equal(formatActor(event({})), 'lablink, in the database');
  t.equal(formatActor(event({ actor: 'admin:ada' })), 'admin:ada');
});

t.test('problems say whether the change was made, or repeat the gateway’s detail', async (t) => {
  t.match(explainProblem({ code: 'version_mismatch', detail: '' }), 'this VM was changed');
  t.match(
    explainProblem({ code: 'database_unavailable', detail: '' }),
    'may or may not have been made',
  );
  t.match(explainProblem({ code: undefined, detail: '' }), 'cannot be reached');
  t.equal(explainProblem({ code: undefined, detail: 'HTTP 502' }), 'HTTP 502');
  t.equal(explainProblem({ code: 'of tomorrow', detail: 'A detail.' }), 'A detail.');
  t.ok(isConflict({ code: 'version_mismatch', detail: '' }));
  t.notOk(isConflict({ code: 'database_busy', detail: '' }));
});

t.test('differences hide commands', async (t) => {
  const before = vm('vm-1', { ...ADA, crd_command: 'secret one' });
  const after = { ...vm('vm-1', { status: 'failed', crd_command: 'secret two' }), note: { a: 1 } };
  const found = listDifferences(before, after);
  t.notMatch(JSON.stringify(found), 'secret');
  t.same(
    found.find(({ field }) => field === 'Status'),
    { field: 'Status', before: 'in use', after: 'failed' },
  );
  t.same(
    found.find(({ field }) => field === 'Person'),
    { field: 'Person', before: 'ada@x', after: 'none' },
  );
  t.match(
    found.find(({ field }) => field === 'note'),
    { after: '{"a":1}' },
  );
  t.same(listDifferences(before, undefined), [{ field: 'VM', before: 'exists', after: 'deleted' }]);
});

t.test('the connection', async (t) => {
  const readTitle = (...state: Parameters<typeof describeConnection>): string =>
    describeConnection(...state).title;
  t.equal(readTitle({ phase: 'live' }, true, 0), 'Live');
  t.equal(readTitle({ phase: 'stale' }, true, 0), 'Database unavailable');
  t.equal(readTitle({ phase: 'connecting' }, false, 0), 'Connecting');
  t.equal(readTitle({ phase: 'connecting' }, true, 0), 'Catching up');
  const reconnecting = {
    phase: 'reconnecting',
    nextTryMs: 4_200,
    reason: 'it broke',
    code: 1006,
  } as const;
  t.same(describeConnection(reconnecting, true, 0), {
    tone: 'trouble',
    title: 'Reconnecting in 5 s',
    detail: 'It broke.',
  });
  t.equal(readTitle(reconnecting, true, 9_000), 'Reconnecting');
  t.equal(readTitle(reconnecting, false, 0), 'Trying again in 5 s');
  const closed = { phase: 'closed', rejected: true, reason: 'no.', code: 4403 } as const;
  t.match(describeConnection(closed, true, 0), { title: 'Ended', detail: 'No.' });
});

t.test('times', async (t) => {
  const at = Date.parse('2026-03-02T09:30:00Z');
  for (const text of ['2026-03-02T09:30:00', '2026-03-02T09:30:00.000Z', '2026-03-02T10:30:00+01'])
    t.equal(parseTime(text.replace(/\+01$/, '+01:00')), at);
  for (const text of [null, undefined, 'infinity', '']) t.equal(parseTime(text), undefined);
  for (const [ms, words] of [
    [-5, 'now'],
    [999, 'now'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [7_200_000, '2 h'],
    [3 * 86_400_000, '3 d'],
  ] as const)
    t.equal(formatAge(0, ms), words);
  t.same([8, 1_440, 42_000].map(formatDuration), ['8 ms', '1.4 s', '42 s']);
  t.same([0, 900, 245_000, 42_000_000, 3 * 86_400_000].map(formatRemaining), [
    '0 s',
    '1 s',
    '4 min 05 s',
    '11 h 40 min',
    '3 d',
  ]);
  t.equal(computeClockSkewMs('Mon, 02 Mar 2026 09:30:30 GMT', at), 30_000);
  t.equal(computeClockSkewMs('Mon, 02 Mar 2026 09:30:01 GMT', at), 0);
  t.equal(computeClockSkewMs(null, at), 0);
  t.match(formatDateTime(at), '2026');
  t.match(formatTimeOfDay(at), /\d/);
});
