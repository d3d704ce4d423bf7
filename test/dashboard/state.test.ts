// The state in the URL, what a token says of itself, and how much happened by second.

import fc from 'fast-check';
import t from 'tap';
import {
  COLUMNS,
  EVERYTHING,
  isFiltered,
  sortBy,
  toggleStatus,
} from '../../src/dashboard/model/query.js';
import { HISTORY_S, Rates } from '../../src/dashboard/model/rates.js';
import { STATUSES } from '../../src/dashboard/model/tally.js';
import { claimsOf } from '../../src/dashboard/model/token.js';
import { formatUrlState, parseUrlState, takeToken } from '../../src/dashboard/model/url-state.js';
import { signToken } from '../../src/gateway/auth/token.js';

t.test('a fragment gives back what it was made of, and bears with anything', async (t) => {
  const query = fc.record({
    statuses: fc.subarray([...STATUSES]),
    agent: fc.constantFrom(undefined, 'online' as const, 'away' as const),
    waiting: fc.boolean(),
    search: fc.string({ unit: 'binary' }),
    sort: fc.constantFrom(...COLUMNS),
    descending: fc.boolean(),
  });
  const selected = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
  fc.assert(
    fc.property(query, selected, (some, hostname) => {
      const state = { query: some, selected: hostname };
      t.same(parseUrlState(formatUrlState(state)), state);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void parseUrlState(text)));
  t.equal(formatUrlState({ query: EVERYTHING, selected: undefined }), '');
  t.same(parseUrlState('#sort=-nothing&agent=x&status=x').query, {
    ...EVERYTHING,
    descending: true,
  });
});

t.test('a token is taken out of the fragment, and the rest stays', async (t) => {
  t.same(takeToken('#token=a.b.c&status=failed'), { token: 'a.b.c', rest: '#status=failed' });
  t.same(takeToken('#token=%20a.b.c'), { token: 'a.b.c', rest: '' });
  t.equal(takeToken('#status=failed'), undefined);
});

t.test('filters and orders', async (t) => {
  const failed = toggleStatus(EVERYTHING, 'failed');
  t.same(failed.statuses, ['failed']);
  t.same(toggleStatus(failed, 'failed'), EVERYTHING);
  t.same([EVERYTHING, failed, { ...EVERYTHING, search: ' ' }].map(isFiltered), [
    false,
    true,
    false,
  ]);
  t.match(sortBy(EVERYTHING, 'email'), { sort: 'email', descending: false });
  t.match(sortBy(EVERYTHING, 'changed'), { sort: 'changed', descending: true });
  t.match(sortBy(EVERYTHING, 'hostname'), { sort: 'hostname', descending: true });
});

t.test('what a token says of itself', async (t) => {
  const token = signToken({ role: 'admin', sub: 'Adä ✓', ttlSeconds: 60 }, 'x'.repeat(40));
  t.match(claimsOf(token), { role: 'admin', sub: 'Adä ✓' });
  t.ok((claimsOf(token)?.expiresAtMs ?? 0) > Date.now());
  const encode = (claims: unknown): string => `a.${btoa(JSON.stringify(claims))}.c`;
  t.same(claimsOf(encode({ role: 'x', sub: 'y' })), {
    role: 'x',
    sub: 'y',
    expiresAtMs: undefined,
  });
  for (const text of ['', 'a.b', 'a.!.c', encode(null), encode({ sub: 'y' }), encode('text')])
    t.equal(claimsOf(text), undefined, text);
});

t.test('seconds that are over are counted, and old ones forgotten', async (t) => {
  const rates = new Rates();
  const at = 1_000_000_000;
  rates.add(at, 5);
  rates.add(at + 900, 40);
  rates.add(at + 1_500);
  let [seconds, counts, highest] = rates.series(at + 2_000);
  t.equal(seconds.length, HISTORY_S);
  t.same([counts.at(-2), counts.at(-1)], [2, 1]);
  t.same([highest.at(-3), highest.at(-2), highest.at(-1)], [null, 40, 0]);
  [seconds, counts] = rates.series(at + 1_000_000);
  t.notOk(counts.some((count) => count > 0));
  rates.add(at + 1_000 * (HISTORY_S + 1));
  [, counts, highest] = rates.series(at + 1_000 * (HISTORY_S + 2));
  t.same([counts.at(-1), highest.at(-1)], [1, 0], 'a slot that is used again begins anew');
  rates.add(at);
  t.same(rates.series(at + 1_000 * (HISTORY_S + 2))[1].at(-1), 1, 'what is told late is let go');
});
