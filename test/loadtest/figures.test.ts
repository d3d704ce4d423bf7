// The figures of a remote gateway, from its metrics.

import t from 'tap';
import { parseFigures } from '../../src/loadtest/remote-target.js';

const METRICS = `# HELP process_cpu_seconds_total x
process_cpu_seconds_total 1.5
process_resident_memory_bytes 104857600
nodejs_eventloop_lag_max_seconds 0.0305
nodejs_eventloop_lag_p99_seconds 0.0102
`;

t.test('the figures of /metrics, without the sampling interval of the event loop', async (t) => {
  const figures = parseFigures(METRICS);
  t.match(figures, { cpuUs: 1.5e6, rss: 100 * 2 ** 20 });
  t.equal(figures?.loopLagMs.max.toFixed(2), '20.50');
  t.equal(figures?.loopLagMs.p99.toFixed(2), '0.20');
});

t.test('a page without these metrics has no figures', async (t) => {
  t.equal(parseFigures(''), undefined);
  t.equal(parseFigures('{"code":"not_allowed"}'), undefined);
});
