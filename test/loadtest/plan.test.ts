// Parsing of plans: durations, schedules of faults, and profiles.

import t from 'tap';
import { parseDurationMs } from '../../src/time/duration.js';
import { formatFault, LOAD_DURATION, parseFaults } from '../../src/loadtest/faults.js';
import { DEFAULTS, PROFILES } from '../../src/loadtest/plan.js';

t.test('durations', async (t) => {
  t.equal(parseDurationMs('50ms', LOAD_DURATION), 50);
  t.equal(parseDurationMs('1.5s', LOAD_DURATION), 1_500);
  t.equal(parseDurationMs('2m', LOAD_DURATION), 120_000);
  for (const text of ['', '5', 's', '-1s', '5h', '1e3s', '5s ', '1234567s']) {
    t.equal(parseDurationMs(text, LOAD_DURATION), undefined, text);
  }
});

t.test('a schedule of faults is sorted by time, and formatted as it is parsed', async (t) => {
  const faults = parseFaults('drop-sockets@6s,stall-dashboards=2@500ms,kill-listener@2s');
  t.same(faults, [
    { atMs: 500, fault: { kind: 'stall-dashboards', count: 2 } },
    { atMs: 2_000, fault: { kind: 'kill-listener' } },
    { atMs: 6_000, fault: { kind: 'drop-sockets' } },
  ]);
  t.equal(
    faults.map(formatFault).join(),
    'stall-dashboards=2@0.5s,kill-listener@2s,drop-sockets@6s',
  );
  t.same(parseFaults('stall-dashboards@1s'), [
    { atMs: 1_000, fault: { kind: 'stall-dashboards', count: 1 } },
  ]);
});

t.test('an invalid fault is named', async (t) => {
  for (const text of ['', 'kill-listener', 'kill-listener@', 'burn@1s', 'kill-listener=2@1s']) {
    t.throws(() => parseFaults(text), { name: 'RangeError', message: `"${text}"` }, text);
  }
});

t.test('each profile is a plan that can be run', async (t) => {
  for (const [name, { about, plan }] of Object.entries(PROFILES)) {
    const whole = { ...DEFAULTS, ...plan };
    t.ok(whole.vms >= whole.agents, name);
    t.ok(whole.batch <= whole.vms, name);
    t.ok(
      whole.faults.every(({ atMs }) => atMs < whole.durationMs),
      name,
    );
    t.not(about, '', name);
  }
});
