// The state in the URL, the claims of a token, and the counts by second.

import fc from 'fast-check';
import t from 'tap';
import {
  ORDERS,
  DEFAULT_QUERY,
  isFiltered,
  sortBy,
  toggleStatus,
} from '../../src/dashboard/model/query.js';
import { HISTORY_S, RateHistory } from '../../src/dashboard/model/rate-history.js';
import { STATUS_GROUPS } from '../../src/dashboard/model/fleet-counters.js';
import { extractLink, mustAsk } from '../../src/dashboard/model/sign-in-link.js';
import { decodeClaims } from '../../src/dashboard/model/token.js';
import { formatUrlState, parseUrlState } from '../../src/dashboard/model/url-state.js';
import { signToken } from '../../src/gateway/auth/token.js';

t.test('a fragment restores its state, and any text can be parsed', async (t) => {
  const query = fc.record({
    statuses: fc.subarray([...STATUS_GROUPS]),
    agent: fc.constantFrom(undefined, 'online' as const, 'away' as const),
    waiting: fc.boolean(),
    search: fc.string({ unit: 'binary' }),
    attention: fc.boolean(),
    sort: fc.constantFrom(...ORDERS),
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
  t.equal(formatUrlState({ query: DEFAULT_QUERY, selected: undefined }), '');
  t.same(parseUrlState('#sort=-nothing&agent=x&status=x').query, {
    ...DEFAULT_QUERY,
    descending: true,
  });
});

t.test('a sign-in is removed from the fragment, and the rest stays', async (t) => {
  const token = { kind: 'token', token: 'a.b.c' };
  t.same(extractLink('#token=a.b.c&status=failed'), { link: token, rest: '#status=failed' });
  t.same(extractLink('#token=%20a.b.c'), { link: token, rest: '' });
  const code = { kind: 'code', code: 'x_y-z' };
  t.same(extractLink('#status=failed&code=x_y-z'), { link: code, rest: '#status=failed' });
  t.same(extractLink('#code=x_y-z&token=a.b.c'), { link: code, rest: '' });
  t.equal(extractLink('#status=failed'), undefined);
});

t.test('a link is asked about if it has a token, or a user is signed in', async (t) => {
  const [code, token] = [
    { kind: 'code', code: 'x' },
    { kind: 'token', token: 'a.b.c' },
  ] as const;
  t.equal(mustAsk(code, false), false);
  for (const asked of [mustAsk(code, true), mustAsk(token, false), mustAsk(token, true)]) {
    t.equal(asked, true);
  }
});

t.test('filters and orders', async (t) => {
  const failed = toggleStatus(DEFAULT_QUERY, 'failed');
  t.same(failed.statuses, ['failed']);
  t.same(toggleStatus(failed, 'failed'), DEFAULT_QUERY);
  t.same([DEFAULT_QUERY, failed, { ...DEFAULT_QUERY, search: ' ' }].map(isFiltered), [
    false,
    true,
    false,
  ]);
  t.match(sortBy(DEFAULT_QUERY, 'email'), { sort: 'email', descending: false });
  t.match(sortBy(DEFAULT_QUERY, 'changed'), { sort: 'changed', descending: true });
  t.match(sortBy(DEFAULT_QUERY, 'hostname'), { sort: 'hostname', descending: false });
  const byHostname = sortBy(DEFAULT_QUERY, 'hostname');
  t.match(sortBy(byHostname, 'hostname'), { sort: 'hostname', descending: true });
});

t.test('the claims of a token are decoded', async (t) => {
  const token = signToken({ role: 'admin', sub: 'Adä ✓', ttlSeconds: 60 }, 'x'.repeat(40));
  t.match(decodeClaims(token), { role: 'admin', sub: 'Adä ✓' });
  t.ok((decodeClaims(token)?.expiresAtMs ?? 0) > Date.now());
  const encode = (claims: unknown): string => `a.${btoa(JSON.stringify(claims))}.c`;
  t.same(decodeClaims(encode({ role: 'x', sub: 'y' })), {
    role: 'x',
    sub: 'y',
    expiresAtMs: undefined,
  });
  for (const text of ['', 'a.b', 'a.!.c', encode(null), encode({ sub: 'y' }), encode('text')])
    t.equal(decodeClaims(text), undefined, text);
});

t.test('completed seconds are counted, and old ones dropped', async (t) => {
  const rates = new RateHistory();
  const at = 1_000_000_000;
  rates.add(at, 5);
  rates.add(at + 900, 40);
  rates.add(at + 1_500);
  let [seconds, counts, highest] = rates.readSeries(at + 2_000);
  t.equal(seconds.length, HISTORY_S);
  t.same([counts.at(-2), counts.at(-1)], [2, 1]);
  t.same([highest.at(-3), highest.at(-2), highest.at(-1)], [null, 40, 0]);
  [seconds, counts] = rates.readSeries(at + 1_000_000);
  t.notOk(counts.some((count) => count > 0));
  rates.add(at + 1_000 * (HISTORY_S + 1));
  [, counts, highest] = rates.readSeries(at + 1_000 * (HISTORY_S + 2));
  t.same([counts.at(-1), highest.at(-1)], [1, 0], 'a reused sample begins at zero');
  rates.add(at);
  t.same(rates.readSeries(at + 1_000 * (HISTORY_S + 2))[1].at(-1), 1, 'a late event is dropped');
});
