// The reports of a result: as text, as a page, and as progress.

import t from 'tap';
import { Progress } from '../../src/loadtest/progress.js';
import { renderHtml } from '../../src/loadtest/report-html.js';
import { renderText } from '../../src/loadtest/report-text.js';
import { findFailures } from '../../src/loadtest/result.js';
import { delivery, percentiles, result, sample } from './results.js';

const LENIENT = { maxP99Ms: undefined, maxLost: 0 };

t.test(
  'a change that is lost beyond the threshold, duplicated or out of order is a failure',
  async (t) => {
    const failures = (parts: Parameters<typeof result>[0], thresholds = LENIENT): number =>
      findFailures(result(parts), thresholds).length;
    t.equal(failures({}), 0);
    for (const count of ['lost', 'duplicated', 'outOfOrder'] as const) {
      t.equal(failures({ agents: delivery({ [count]: 1 }) }), 1, `agents ${count}`);
      t.equal(failures({ dashboards: delivery({ [count]: 1 }) }), 1, `dashboards ${count}`);
    }
    const lost = { agents: delivery({ lost: 1 }), dashboards: delivery({ lost: 1 }) };
    t.equal(failures(lost, { ...LENIENT, maxLost: 2 }), 0);
    t.equal(failures(lost, { ...LENIENT, maxLost: 1 }), 1);
    t.equal(
      failures({ agents: delivery({ conflated: 5 }) }),
      0,
      'a conflated change is no failure',
    );
  },
);

t.test('a p99 above the threshold is a failure, of either group', async (t) => {
  const slow = delivery({ latencyMs: percentiles(60) });
  const thresholds = { ...LENIENT, maxP99Ms: 50 };
  t.same(findFailures(result(), thresholds), []);
  t.match(findFailures(result({ agents: slow }), thresholds), [/^p99 of agents is 60\.\d ms/]);
  t.match(findFailures(result({ dashboards: slow }), thresholds), [/^p99 of dashboards/]);
});

t.test('failed UPDATEs and faults that could not be injected are failures', async (t) => {
  const writer = { changes: 9, failed: 1, latenessMs: percentiles() };
  t.same(findFailures(result({ writer }), LENIENT), ['1 UPDATEs failed']);
  const faults = [{ fault: 'kill-listener@1s', atMs: 1_000, error: 'no gateway listens' }];
  t.same(findFailures(result({ faults }), LENIENT), ['kill-listener@1s: no gateway listens']);
});

t.test('the report has the results and the failures', async (t) => {
  t.match(renderText(result()), /^Passed\.$/m);
  const bad = renderText(
    result({
      ...{ interrupted: true, gateway: undefined, settledMs: undefined, failures: ['3 lost'] },
      ...{ lostSockets: { 1012: 7 }, refusals: { 503: 2 } },
      faults: [{ fault: 'kill-gateway@2s', atMs: 2_100 }],
    }),
  );
  for (const line of [
    /^10 changes, not settled\.$/m,
    /^7 sockets were closed with 1012\.$/m,
    /^2 upgrades were rejected with 503\.$/m,
    /^Fault kill-gateway@2s at 2\.1 s: injected$/m,
    /^The resources of the gateway are unknown\.$/m,
    /^Ended early\.$/m,
    /^FAILED: 3 lost$/m,
  ]) {
    t.match(bad, line);
  }
});

t.test('the page is self-contained, and has the text of the report', async (t) => {
  const context = { Command: 'lablink-gateway loadtest <x>' };
  const html = renderHtml(result({ failures: ['<b>'] }), 'Load & test', context);
  t.notMatch(html, /<script|<link|\bsrc=|url\(|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  t.match(html, '<h1>Load &amp; test</h1>');
  t.match(html, '<strong>&lt;b&gt;</strong>');
  t.match(html, '<dt>Command</dt><dd>lablink-gateway loadtest &lt;x&gt;</dd>');
  t.equal(html.match(/<table>/g)?.length, 2);
  t.match(html, /<th>p99<\/th>/);
  t.match(html, 'prefers-color-scheme:dark');
  t.equal(html.match(/<svg /g)?.length, 7);
  t.equal(html.match(/NaN|undefined|Infinity/g), null);
});

t.test('a value that was never measured has no plot', async (t) => {
  const unknown = { cpuShare: undefined, rssBytes: undefined, loopLagMs: undefined };
  const html = renderHtml(result({ timeline: [sample(unknown)] }), 'Load test');
  t.equal(html.match(/<svg /g)?.length, 4);
});

t.test('progress is one line on a terminal, and a line every few samples in a log', async (t) => {
  const terminal = {
    isTTY: true,
    columns: 40,
    text: '',
    write: (text: string) => (terminal.text += text),
  };
  const progress = new Progress(terminal);
  progress.show(sample());
  progress.show(sample());
  progress.end();
  const lines = terminal.text.split('\r\u001b[2K').filter((line) => line !== '');
  t.equal(lines.length, 2);
  t.ok(lines.every((line) => line.length < 40 && !line.includes('\n')));

  const log = { text: '', write: (text: string) => (log.text += text) };
  const logged = new Progress(log);
  for (let i = 0; i < 7; i++) logged.show(sample());
  logged.end();
  t.equal(log.text.split('\n').length - 1, 2);
  t.match(log.text, '1 s · load · 2 connected · 10 changes/s · agents 10/s p50 2.00 p99 3.00 ms');
});
