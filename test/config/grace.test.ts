// How long an agent may stay away: seconds, or with a unit; what is out of range is refused.

import t from 'tap';
import { ConfigError, loadConfig } from '../../src/config/load.js';
import { parseGrace } from '../../src/config/grace.js';

t.test('seconds, minutes and hours', async (t) => {
  const read = ['10', '120', '120s', '2m', '1h', '168h'].map(parseGrace);
  t.same(read, [10_000, 120_000, 120_000, 120_000, 3_600_000, 604_800_000]);
});

t.test('anything else is none', async (t) => {
  for (const text of ['', '0', '9', '9s', '169h', '1d', '-60', '1.5m', ' 60', '060', '1e3', 'off'])
    t.equal(parseGrace(text), undefined, text);
});

t.test('it is off unless it is set, and a mistake is told', async (t) => {
  t.equal(loadConfig({}).offlineGraceMs, undefined);
  t.equal(loadConfig({ OFFLINE_GRACE: '2m' }).offlineGraceMs, 120_000);
  t.throws(() => loadConfig({ OFFLINE_GRACE: 'soon' }), ConfigError);
});
