// The grace period of offline agents: seconds, or a number with a unit, within a range.

import t from 'tap';
import { ConfigError, loadConfig } from '../../src/config/load.js';
import { parseGrace } from '../../src/config/grace.js';

t.test('accepts seconds, minutes and hours', async (t) => {
  const read = ['10', '120', '120s', '2m', '1h', '168h'].map(parseGrace);
  t.same(read, [10_000, 120_000, 120_000, 120_000, 3_600_000, 604_800_000]);
});

t.test('rejects any other text', async (t) => {
  for (const text of ['', '0', '9', '9s', '169h', '1d', '-60', '1.5m', ' 60', '060', '1e3', 'off'])
    t.equal(parseGrace(text), undefined, text);
});

t.test('the variable is optional, and an invalid value is reported', async (t) => {
  t.equal(loadConfig({}).offlineGraceMs, undefined);
  t.equal(loadConfig({ OFFLINE_GRACE: '2m' }).offlineGraceMs, 120_000);
  t.throws(() => loadConfig({ OFFLINE_GRACE: 'soon' }), ConfigError);
});
