// Creates results of load tests, for the tests of reports.

import { Latencies, type Percentiles } from '../../src/loadtest/latencies.js';
import { DEFAULTS } from '../../src/loadtest/plan.js';
import type { DeliveryResult, LoadTestResult, Sample } from '../../src/loadtest/result.js';

export function percentiles(...ms: number[]): Percentiles {
  const latencies = new Latencies();
  for (const each of ms) latencies.record(each * 1e3);
  return latencies.percentiles();
}

export function delivery(parts: Partial<DeliveryResult> = {}): DeliveryResult {
  return {
    ...{ expected: 10, delivered: 10, conflated: 0, lost: 0, duplicated: 0, outOfOrder: 0 },
    latencyMs: percentiles(1, 2, 3),
    ...parts,
  };
}

export function sample(parts: Partial<Sample> = {}): Sample {
  const told = { delivered: 10, latencyMs: percentiles(1, 2, 3) };
  return {
    ...{ atMs: 1_000, phase: 'load', connected: 2, changes: 10, agents: told, dashboards: told },
    ...{ cpuShare: 0.25, rssBytes: 2 ** 26, loopLagMs: { p99: 1, max: 2 } },
    ...parts,
  };
}

export function result(parts: Partial<LoadTestResult> = {}): LoadTestResult {
  return {
    ...{
      plan: DEFAULTS,
      interrupted: false,
      connectMs: percentiles(5),
      reconnectMs: percentiles(),
    },
    ...{ lostSockets: {}, refusals: {}, agents: delivery(), dashboards: delivery() },
    writer: { changes: 10, failed: 0, latenessMs: percentiles(0.1) },
    gateway: {
      ...{ cpuSeconds: 1, cpuShare: 0.1, cpuUsPerChange: 300, cpuUsPerConnect: 200 },
      ...{ bytesPerSocket: 8_192, maxRssBytes: 2 ** 27, loopLagMs: { p99: 1, max: 2 } },
    },
    ...{ faults: [], settledMs: 5, failures: [], timeline: [sample(), sample({ atMs: 2_000 })] },
    ...parts,
  };
}
