// Prometheus' rules and configuration, and the dashboard: promtool takes them, and what they ask
// for is what there is.

import { spawnSync } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import { temporaryFolder } from '../helpers/process.js';
import { listLabels, parseMetrics, type Family } from '../helpers/prometheus.js';
import { until } from '../helpers/until.js';
import { deployed, lacking } from './deployed.js';

const skip = lacking('promtool', '--version');

function promtool(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

t.test('promtool takes the rules and the configuration', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  await cp('deploy/monitoring', folder, { recursive: true });
  await writeFile(join(folder, 'lablink-token'), 'a token');
  for (const args of [
    ['check', 'rules', join(folder, 'alerts.yml')],
    ['check', 'config', join(folder, 'prometheus.yml')],
  ]) {
    const { status, said } = promtool(...args);
    t.equal(status, 0, said);
  }
});

t.test('each alert speaks when it should, and is silent when it should', { skip }, async (t) => {
  const { status, said } = promtool('test', 'rules', 'deploy/monitoring/alerts.test.yml');
  t.equal(status, 0, said);
  const tests = await deployed('monitoring/alerts.test.yml');
  const { groups } = parse(await deployed('monitoring/alerts.yml')) as {
    groups: { rules: { alert: string }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  for (const alert of alerts) {
    t.match(tests, new RegExp(`alertname: ${alert}\\n +eval_time: .*\\n +exp_alerts:`), alert);
    t.match(tests, new RegExp(`\\{ alertname: ${alert}, eval_time`), `${alert}: silent`);
  }
});

t.test('each alert has its section of the runbook, and each section its alert', async (t) => {
  const { groups } = parse(await deployed('monitoring/alerts.yml')) as {
    groups: { rules: { alert: string; annotations: { runbook_url: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  for (const { alert, annotations } of rules) {
    t.match(annotations.runbook_url, new RegExp(`/deploy/runbook\\.md#${alert.toLowerCase()}$`));
  }
  const sections = [...(await deployed('runbook.md')).matchAll(/^## (\w+)$/gm)];
  t.same(
    sections.map(([, name]) => name),
    rules.map(({ alert }) => alert),
  );
  for (const wanted of ['BackupOld', 'LeasesLost', 'MemoryHigh', 'Restarting', 'AuditLarge'])
    t.ok(rules.some(({ alert }) => alert === wanted));
});

interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

/**
 * Metrics and the labels that are asked of them: in matchers beside them, and in what they are
 * summed by.
 */
function selectorsIn(expression: string): Selector[] {
  const by = [...expression.matchAll(/\bby \(([^)]*)\)/g)]
    .flatMap(([, names = '']) => names.split(','))
    .map((name) => name.trim());
  return [...expression.matchAll(/\b((?:lablink|process|nodejs)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(
    ([, metric = '', matchers = '']) => ({
      metric,
      labels: [
        ...by,
        ...[...matchers.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(([, name = '']) => name),
      ],
    }),
  );
}

/** The labels that Prometheus adds. */
const ADDED = ['instance', 'job', 'le'];

t.test('rules and dashboard ask for what a gateway says, and for nothing else', async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database, { timing: { fullReadIntervalMs: 300 } });
  await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
  const read = async (): Promise<Map<string, Family>> =>
    parseMetrics(await (await gateway.fetch('/metrics')).text());
  const families = await until('everything is read again, for no reason', async () => {
    const found = await read();
    const reads = found.get('lablink_resyncs_total')?.series;
    return reads?.has('lablink_resyncs_total{reason="routine"}') === true && found;
  });

  /**
   * A counter that has not counted yet shows no labels; the generated table of metrics has them.
   */
  const written = new Map(
    (await readFile('src/gateway/metrics/README.md', 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('| `lablink_'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
      .map(([, name = '', , labels = '']) => [name, labels.split(', ')]),
  );
  const rules = [...(await deployed('monitoring/alerts.yml')).matchAll(/expr: (.*)/g)];
  const dashboard = JSON.parse(await deployed('monitoring/grafana-dashboard.json')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const expressions = [
    ...rules.map(([, expression = '']) => expression),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ];
  t.ok(expressions.length > 25);
  const asked = new Set<string>();
  for (const { metric, labels } of expressions.flatMap(selectorsIn)) {
    if (metric === 'up') continue;
    const name = families.has(metric) ? metric : metric.replace(/_(bucket|count|sum)$/, '');
    const family = families.get(name);
    t.ok(family, metric);
    asked.add(name);
    const known = written.get(name) ?? (family === undefined ? [] : listLabels(family));
    for (const label of labels) {
      t.ok(known.includes(label) || ADDED.includes(label), `${metric} has the label ${label}`);
    }
  }
  t.same(
    [...written.keys()].filter((name) => !asked.has(name)),
    [],
    'nothing that a gateway says is left out of both',
  );
});
