// Durations: a number with one of the accepted units, within the range.

import t from 'tap';
import { parseDurationMs, type DurationFormat } from '../../src/time/duration.js';

const FORMAT: DurationFormat = { units: ['ms', 's', 'm', 'h', 'd'], minMs: 0, maxMs: 1e12 };

t.test('every unit is read as milliseconds', async (t) => {
  const read = ['50ms', '30s', '2m', '12h', '30d', '0s'].map((text) =>
    parseDurationMs(text, FORMAT),
  );
  t.same(read, [50, 30_000, 120_000, 43_200_000, 2_592_000_000, 0]);
});

t.test('any other form is refused', async (t) => {
  const bad = [
    '',
    '5',
    's',
    '-1s',
    '1e3s',
    '5s ',
    ' 5s',
    '05s',
    '1h30m',
    '30D',
    '1w',
    '.5s',
    '1.5s',
  ];
  for (const text of bad) t.equal(parseDurationMs(text, FORMAT), undefined, text);
});

t.test('decimals are read where they are accepted', async (t) => {
  t.equal(parseDurationMs('1.5s', { ...FORMAT, decimals: true }), 1_500);
  t.equal(parseDurationMs('1.2345s', { ...FORMAT, decimals: true }), undefined);
});

t.test('a unit that is not accepted, and a duration out of range, are refused', async (t) => {
  const format: DurationFormat = { units: ['s', 'm'], minMs: 10_000, maxMs: 60_000 };
  const read = ['9s', '10s', '1m', '61s', '1h'].map((text) => parseDurationMs(text, format));
  t.same(read, [undefined, 10_000, 60_000, undefined, undefined]);
});
