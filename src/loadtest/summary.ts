// From what was counted to what is reported.

import type { Comparison } from './clients.js';
import type { CrowdReport } from './virtual-users-report.js';
import type { Figures } from './figures.js';
import type { Plan } from './plan.js';
import { failuresOf, type Delivery, type GatewayCost, type LoadTestResult } from './result.js';
import type { TallySum } from './counters.js';
import type { Timeline } from './timeline.js';

/** The gateway at one moment of the test. */
export interface Moment {
  readonly atMs: number;
  readonly figures: Figures | undefined;
  /** What its process holds. */
  readonly rss: number | undefined;
}

export interface Findings {
  readonly plan: Plan;
  readonly interrupted: boolean;
  readonly timeline: Pick<Timeline, 'clients' | 'written' | 'samples'>;
  /** Before anyone connected, when all had, and when all was over. */
  readonly moments: { readonly before: Moment; readonly connected: Moment; readonly after: Moment };
  readonly faults: LoadTestResult['faults'];
  /** The clients' copies against the table, in the end. */
  readonly comparison: Comparison;
  readonly settledMs: number | undefined;
}

export function summarize(findings: Findings): LoadTestResult {
  const { plan, timeline, comparison, faults, settledMs, interrupted } = findings;
  const { clients, written, samples } = timeline;
  const result = {
    ...{ plan, interrupted },
    connectMs: clients.connects.percentiles(),
    reconnectMs: clients.reconnects.percentiles(),
    lostSockets: Object.fromEntries(clients.lostSockets),
    refusals: Object.fromEntries(clients.refusals),
    agents: deliveryOf(clients.agents, written.agentChanges, comparison.agents),
    dashboards: deliveryOf(
      ...([clients.dashboards, written.changes * plan.dashboards, comparison.dashboards] as const),
    ),
    writer: {
      changes: written.changes,
      failed: written.failed,
      latenessMs: written.lateness.percentiles(),
    },
    gateway: costOf(findings, clients),
    ...{ faults: faults.toSorted((a, b) => a.atMs - b.atMs), settledMs, timeline: samples },
  };
  return { ...result, failures: failuresOf(result, plan.thresholds) };
}

/** What was neither told nor lost was conflated: a later state of the row was told instead. */
function deliveryOf(told: TallySum, expected: number, lost: number): Delivery {
  const { delivered, duplicated, outOfOrder, latencies } = told;
  return {
    ...{ expected, delivered },
    conflated: Math.max(0, expected - delivered - lost),
    ...{ lost, duplicated, outOfOrder },
    latencyMs: latencies.percentiles(),
  };
}

function costOf({ moments, timeline }: Findings, clients: CrowdReport): GatewayCost | undefined {
  const { before, connected, after } = moments;
  if (!before.figures || !connected.figures || !after.figures) return undefined;
  const { written, samples } = timeline;
  const cpuUs = after.figures.cpuUs - connected.figures.cpuUs;
  const sockets = Math.max(1, clients.connects.count);
  const bytes = ((connected.rss ?? NaN) - (before.rss ?? NaN)) / sockets;
  const lags = samples.flatMap(({ phase, loopLagMs }) =>
    phase === 'connecting' ? [] : (loopLagMs ?? []),
  );
  return {
    cpuSeconds: cpuUs / 1e6,
    cpuShare: cpuUs / 1e3 / (after.atMs - connected.atMs),
    cpuUsPerChange: cpuUs / Math.max(1, written.changes),
    cpuUsPerConnect: (connected.figures.cpuUs - before.figures.cpuUs) / sockets,
    bytesPerSocket: bytes > 0 ? Math.round(bytes) : undefined,
    maxRssBytes: Math.max(...samples.map(({ rssBytes }) => rssBytes ?? 0)),
    loopLagMs: {
      p99: median(lags.map(({ p99 }) => p99)),
      max: Math.max(0, ...lags.map(({ max }) => max)),
    },
  };
}

/** Of percentiles of many seconds none is the whole's; the median second stands for them. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
