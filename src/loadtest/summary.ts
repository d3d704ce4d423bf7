// Computes the result of a load test from its counters and samples.

import type { ReplicaComparison } from './clients.js';
import type { VirtualUsersReport } from './virtual-users-report.js';
import type { Figures } from './figures.js';
import type { Plan } from './plan.js';
import {
  findFailures,
  type DeliveryResult,
  type GatewayCost,
  type LoadTestResult,
} from './result.js';
import type { CountersSum } from './counters.js';
import type { Timeline } from './timeline.js';

/** The gateway's resources at one time of the test. */
export interface GatewaySample {
  readonly atMs: number;
  readonly figures: Figures | undefined;
  /** The resident memory, in bytes. */
  readonly rss: number | undefined;
}

export interface Findings {
  readonly plan: Plan;
  readonly interrupted: boolean;
  readonly timeline: Pick<Timeline, 'clients' | 'written' | 'samples'>;
  /** Before any client connected, when all had connected, and at the end. */
  readonly gatewaySamples: Record<'before' | 'connected' | 'after', GatewaySample>;
  readonly faults: LoadTestResult['faults'];
  /** The clients' replicas compared with the table, at the end. */
  readonly comparison: ReplicaComparison;
  readonly settledMs: number | undefined;
}

export function summarize(findings: Findings): LoadTestResult {
  const { plan, timeline, comparison, faults, settledMs, interrupted } = findings;
  const { clients, written, samples } = timeline;
  const result = {
    plan,
    interrupted,
    connectMs: clients.connects.percentiles(),
    reconnectMs: clients.reconnects.percentiles(),
    lostSockets: Object.fromEntries(clients.lostSockets),
    refusals: Object.fromEntries(clients.refusals),
    agents: summarizeDelivery(clients.agents, written.agentChanges, comparison.agents),
    dashboards: summarizeDelivery(
      clients.dashboards,
      written.changes * plan.dashboards,
      comparison.dashboards,
    ),
    writer: {
      changes: written.changes,
      failed: written.failed,
      latenessMs: written.lateness.percentiles(),
    },
    gateway: computeCost(findings, clients),
    faults: faults.toSorted((a, b) => a.atMs - b.atMs),
    settledMs,
    timeline: samples,
  };
  return { ...result, failures: findFailures(result, plan.thresholds) };
}

/** A change that was neither delivered nor lost was conflated: a later state replaced it. */
function summarizeDelivery(sum: CountersSum, expected: number, lost: number): DeliveryResult {
  const { delivered, duplicated, outOfOrder, latencies } = sum;
  return {
    expected,
    delivered,
    conflated: Math.max(0, expected - delivered - lost),
    lost,
    duplicated,
    outOfOrder,
    latencyMs: latencies.percentiles(),
  };
}

function computeCost(
  { gatewaySamples, timeline }: Findings,
  clients: VirtualUsersReport,
): GatewayCost | undefined {
  const { before, connected, after } = gatewaySamples;
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

/** Percentiles of single seconds cannot be merged, so the median second represents them all. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
