// The line that `watch` prints for a change.

import t from 'tap';
import { formatChangeLine } from '../../src/cli/change-line.js';
import { row } from '../client/rows.js';

const NOW_MS = Date.UTC(2030, 0, 2, 3, 4, 5, 678);
const hostname = 'vm-1';
const free = row(hostname);
const used = row(hostname, {
  status: 'in-use',
  email: 'ada@example.org',
  crd_command: 'secret --code 123',
  assignment_id: 'a-1',
  version: 2,
  updated_at: '2030-01-02T03:04:05',
});
const line = (before: typeof free | undefined, vm: typeof free | undefined, first = false) =>
  formatChangeLine({ hostname, before, vm }, first, NOW_MS);

t.test('time, hostname, status, email, and what changed', async (t) => {
  t.equal(line(undefined, free, true), '2030-01-02T03:04:05Z  vm-1  available  -  current');
  t.equal(line(undefined, used), '2030-01-02T03:04:05Z  vm-1  in-use  ada@example.org  new');
  t.equal(
    line(free, used),
    '2030-01-02T03:04:05Z  vm-1  in-use  ada@example.org  changed: email, status, crd_command, assignment_id',
  );
  t.equal(line(used, undefined), '2030-01-02T03:04:05Z  vm-1  -  -  deleted');
  t.equal(line(undefined, undefined, true), '2030-01-02T03:04:05Z  vm-1  -  -  absent');
});

t.test('a terminal also gets the latency, unless the change is of another time', async (t) => {
  const latency = (vm: typeof free, first = false) =>
    / (\d+ ms)$/.exec(
      formatChangeLine({ hostname, before: free, vm }, first, NOW_MS, true) ?? '',
    )?.[1];
  t.equal(latency(used), '678 ms');
  t.equal(latency(used, true), undefined, 'the state at the start');
  t.equal(latency({ ...used, updated_at: '2030-01-02T03:04:06' }), undefined, 'clocks differ');
  t.equal(latency({ ...used, updated_at: '2030-01-01T00:00:00' }), undefined);
});

t.test('a repeated message prints no line', async (t) => {
  t.equal(line(free, { ...free }), undefined);
  t.equal(line(free, { ...free, version: 9, updated_at: 'later' }), undefined);
  t.equal(line(undefined, undefined), undefined);
});

t.test('an added or removed column is a change', async (t) => {
  const wider = row(hostname, { zone: { name: 'b' } });
  t.match(line(free, wider), 'changed: zone');
  t.match(line(wider, free), 'changed: zone');
  t.equal(line(wider, row(hostname, { zone: { name: 'b' } })), undefined);
});

t.test('a row can neither control the terminal nor fake a line', async (t) => {
  const nasty = row('\u001b[2J', { email: 'a\r\nb\u009b31m\u007f', status: 'ü 🚀' });
  t.equal(
    formatChangeLine({ hostname: nasty.hostname, before: undefined, vm: nasty }, false, NOW_MS),
    '2030-01-02T03:04:05Z  \\u001b[2J  ü 🚀  a\\u000d\\u000ab\\u009b31m\\u007f  new',
  );
});
