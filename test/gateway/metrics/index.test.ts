// The metrics by themselves: their names, that their document lists them all, and that their labels
// are bounded.

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import perfHooks from 'node:perf_hooks';
import t from 'tap';
import { createMetrics } from '../../../src/gateway/metrics/index.js';
import type { ObservedSession } from '../../../src/gateway/metrics/gauges.js';
import { listLabels, parseMetrics } from '../../helpers/prometheus.js';

const SESSION: ObservedSession = {
  identity: { role: 'agent' },
  socket: { bufferedAmount: 3, unconfirmedBytes: 0 },
  stream: { kind: 'vm', state: 'live' },
  closedWith: undefined,
};

function createReadableMetrics({ sessions = [SESSION], vms = [{ status: 'available' }] } = {}) {
  const metrics = createMetrics();
  metrics.observe({
    sessions: Object.assign(sessions, { conflated: { vm: 1, fleet: 2 } }),
    vms: () => vms,
    presence: () => [{ online: true }, { online: false }, { online: true }],
    staleRows: () => 4,
    setAside: () => ({ row: 5, presence: 6 }),
    droppedLogLines: () => 7,
    live: () => true,
    revocations: () => ({ known: 8, ageMs: 9_000 }),
  });
  const read = async () => parseMetrics((await metrics.read()).text);
  return { ...metrics, read, text: metrics.read };
}

/** Counts each event once. */
function countAll(metrics: ReturnType<typeof createReadableMetrics>): void {
  metrics.notificationHandled('vm_updates', 'applied');
  metrics.refused('too_many_messages');
  metrics.notificationRejected('not_json');
  metrics.heartbeatArrived(2);
  metrics.heartbeatMissed('lost');
  metrics.readStarted('start');
  metrics.queueUsageObserved(0.25);
  metrics.delivered('vm', 1);
  metrics.acknowledged(2);
  metrics.presenceWritten(3);
  metrics.leaseLost();
  metrics.failedAbsent(1);
  metrics.rowsPruned('vm_events', 1);
  metrics.opened(SESSION);
  metrics.closed(SESSION, 1000);
  metrics.answered({ at: 'http', route: 'none', status: 404, problem: 'not_found' });
}

/** Keeps our metrics only: prom-client names those of the process. */
const ours = (text: string): string =>
  `${text
    .split('\n')
    .filter((line) => /^(# (HELP|TYPE) )?lablink_/.test(line))
    .join('\n')}\n`;

t.test(
  'the document names every metric with its type, labels and meaning, and no other',
  async (t) => {
    const metrics = createReadableMetrics();
    countAll(metrics);
    const families = [...(await metrics.read()).values()];
    const readme = await readFile('src/gateway/metrics/README.md', 'utf8');
    const written = readme
      .split('\n')
      .filter((line) => line.startsWith('| `lablink_'))
      .map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim().replaceAll('`', '')),
      );
    t.same(
      written,
      families
        .filter(({ name }) => name.startsWith('lablink_'))
        .map((family) => [family.name, family.type, listLabels(family).join(', '), family.help]),
    );
  },
);

const NO_PROMTOOL = spawnSync('promtool', ['--version']).error && 'promtool is not installed';

t.test(
  "names, units and help are as Prometheus' conventions have them",
  { skip: NO_PROMTOOL ?? false },
  async (t) => {
    const metrics = createReadableMetrics();
    countAll(metrics);
    const input = ours((await metrics.text()).text);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input,
      encoding: 'utf8',
    });
    t.equal(status, 0, stdout + stderr);
  },
);

t.test('unknown statuses are one series', async (t) => {
  const statuses = ['available', 'failed', 'in-use', 'in-use', 'x', 'other', '', '__proto__'];
  const families = await createReadableMetrics({
    vms: statuses.map((status) => ({ status })),
  }).read();
  t.same(
    [...(families.get('lablink_fleet_vms')?.series ?? [])],
    [
      ['lablink_fleet_vms{status="available"}', 1],
      ['lablink_fleet_vms{status="in-use"}', 2],
      ['lablink_fleet_vms{status="failed"}', 1],
      ['lablink_fleet_vms{status="other"}', 4],
    ],
  );
});

t.test('the close codes of clients are few series, those of the gateway one each', async (t) => {
  const metrics = createReadableMetrics();
  for (const code of [1000, 1006, 1009, 3000, 4999]) metrics.closed(SESSION, code);
  metrics.closed({ ...SESSION, closedWith: { code: 4408 } }, 1006);
  const families = await metrics.read();
  t.same(
    [...(families.get('lablink_sessions_closed_total')?.series ?? [])],
    [
      ['lablink_sessions_closed_total{by="client",code="1000"}', 1],
      ['lablink_sessions_closed_total{by="client",code="1006"}', 1],
      ['lablink_sessions_closed_total{by="client",code="other"}', 3],
      ['lablink_sessions_closed_total{by="gateway",code="4408"}', 1],
    ],
  );
});

t.test('a gauge shows the present state, not that of the last scrape', async (t) => {
  const sessions = [
    SESSION,
    SESSION,
    { ...SESSION, stream: { kind: 'fleet', state: 'lagging' } as const },
  ];
  const metrics = createReadableMetrics({ sessions });
  const look = async () => {
    const families = await metrics.read();
    return [
      Object.fromEntries(families.get('lablink_sessions')?.series ?? []),
      families.get('lablink_unsent_bytes')?.series.get('lablink_unsent_bytes'),
      families
        .get('lablink_conflated_changes_total')
        ?.series.get('lablink_conflated_changes_total{kind="fleet"}'),
    ];
  };
  const first = {
    'lablink_sessions{kind="vm",role="agent",state="live"}': 2,
    'lablink_sessions{kind="fleet",role="agent",state="lagging"}': 1,
  };
  t.same(await look(), [first, 9, 2]);
  t.same(await look(), [first, 9, 2]);
  sessions.splice(0, 2);
  t.same(await look(), [
    { 'lablink_sessions{kind="fleet",role="agent",state="lagging"}': 1 },
    3,
    2,
  ]);
});

t.test('gateways of one process share the metrics of the process, and nothing else', async (t) => {
  createReadableMetrics();
  let observers = 0;
  const { PerformanceObserver, monitorEventLoopDelay } = perfHooks;
  t.teardown(() => Object.assign(perfHooks, { PerformanceObserver, monitorEventLoopDelay }));
  Object.assign(perfHooks, {
    PerformanceObserver: class extends PerformanceObserver {
      constructor(callback: ConstructorParameters<typeof PerformanceObserver>[0]) {
        super(callback);
        observers++;
      }
    },
    monitorEventLoopDelay: () => {
      observers++;
      return monitorEventLoopDelay();
    },
  });
  const [one, other] = [createReadableMetrics(), createReadableMetrics()];
  t.equal(observers, 0, 'nothing new watches the process');
  one.readStarted('start');
  t.equal((await one.read()).get('lablink_resyncs_total')?.series.size, 1);
  t.equal((await other.read()).get('lablink_resyncs_total')?.series.size, 0);
  t.ok((await other.read()).has('nodejs_eventloop_lag_p99_seconds'));
});
