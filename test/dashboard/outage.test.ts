// The texts of an outage: what is known, what is lost and what is not, and why a session ended.

import t from 'tap';
import { explainClose } from '../../src/dashboard/model/close-labels.js';
import { formatQuantity } from '../../src/dashboard/model/quantity.js';
import {
  describeReason,
  explainStale,
  explainUnreached,
} from '../../src/dashboard/model/outage.js';
import { explainFailedRead } from '../../src/dashboard/model/problem-labels.js';

const reconnecting = (reason: string) =>
  ({ phase: 'reconnecting', nextTryMs: 0, reason, code: undefined }) as const;

t.test('no reason repeats an HTTP status line', async (t) => {
  for (const [reason, words] of [
    ['HTTP 503 not_ready: The gateway has not read the table.', /not been able to read the VMs/],
    ['HTTP 418 of_tomorrow: a detail', /^A detail\.$/],
    ['HTTP 502', /^A server between this page and the gateway answered with an error \(502\)\.$/],
    ['the gateway cannot be reached, or it does not allow …', /^The gateway cannot be reached\.$/],
    ['the connection was lost (1006)', /^The connection was lost \(1006\)\.$/],
  ] as const) {
    t.match(describeReason(reason), words);
    t.notMatch(describeReason(reason), /HTTP/);
  }
});

t.test('before the first VMs the page says only that it knows nothing', async (t) => {
  t.equal(explainUnreached({ phase: 'connecting' }), undefined);
  const database = explainUnreached(reconnecting('HTTP 503 not_ready: not yet'));
  t.equal(database?.title, 'Waiting for the database');
  const gateway = explainUnreached(reconnecting('the gateway cannot be reached'));
  t.equal(gateway?.title, 'No connection to the gateway');
  for (const { text = '' } of [database ?? {}, gateway ?? {}]) {
    t.match(text, 'Nothing is known about the VMs');
    t.notMatch(text, /lost/);
  }
});

t.test('a state that is not current says what is lost and what is not', async (t) => {
  t.equal(explainStale({ phase: 'live' }), undefined);
  t.match(explainStale({ phase: 'stale' }), { canTryNow: false, text: /the last known state/ });
  t.match(explainStale({ phase: 'connecting' }), { title: 'Catching up' });
  t.match(explainStale(reconnecting('it broke')), {
    canTryNow: true,
    text: /^It broke\. Changes are not lost: .* may leave out steps in between\.$/,
  });
});

t.test('the end of a session', async (t) => {
  const closed = (code: number, reason: string) =>
    ({ phase: 'closed', rejected: true, code, reason }) as const;
  const claims = { role: 'admin', sub: 'ada', expiresAtMs: 1_000 };
  const title = (...close: Parameters<typeof explainClose>) => explainClose(...close).title;
  t.equal(title(closed(4403, ''), claims, 0), 'Not allowed');
  t.equal(title(closed(4401, ''), claims, 2_000), 'Expired');
  t.equal(title(closed(4401, ''), claims, 0), 'Not accepted');
  t.equal(title(closed(401, 'token_expired'), undefined, 0), 'Expired');
  t.match(explainClose(closed(4401, ''), claims, 2_000), { command: /--role admin$/ });
  t.match(explainClose(closed(1008, ''), claims, 0), { canRetry: true });
});

t.test('a read that failed says nothing about changes', async (t) => {
  for (const code of [undefined, 'database_unavailable', 'rate_limited', 'token_expired', 'other'])
    t.notMatch(explainFailedRead({ code, detail: '' }), /changed/);
});

t.test('a number agrees with its noun', async (t) => {
  t.equal(formatQuantity(1, 'VM'), '1 VM');
  t.equal(formatQuantity(0, 'VM'), '0 VMs');
  t.match(formatQuantity(1_204, 'VM'), /^1\D?204 VMs$/);
});
