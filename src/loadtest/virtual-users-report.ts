// What all clients were told, from the reports of their processes.

import type { ClientsReport } from './clients.js';
import { Latencies } from './latencies.js';
import { TallySum } from './counters.js';

/** Reports of all processes as one. */
export interface CrowdReport {
  readonly agents: TallySum;
  readonly dashboards: TallySum;
  readonly connects: Latencies;
  readonly reconnects: Latencies;
  readonly lostSockets: Map<string, number>;
  readonly refusals: Map<string, number>;
  /** As the last of them said. */
  connected: number;
}

export function emptyReport(): CrowdReport {
  return {
    agents: new TallySum(),
    dashboards: new TallySum(),
    connects: new Latencies(),
    reconnects: new Latencies(),
    lostSockets: new Map(),
    refusals: new Map(),
    connected: 0,
  };
}

/** Adds the reports of all processes, taken at one moment. */
export function addReports(sum: CrowdReport, reports: readonly ClientsReport[]): void {
  sum.connected = 0;
  for (const report of reports) {
    sum.agents.add(report.agents);
    sum.dashboards.add(report.dashboards);
    sum.connects.add(report.connects);
    sum.reconnects.add(report.reconnects);
    addCounts(sum.lostSockets, report.lostSockets);
    addCounts(sum.refusals, report.refusals);
    sum.connected += report.connected;
  }
}

function addCounts(sum: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(counts)) sum.set(key, (sum.get(key) ?? 0) + count);
}
