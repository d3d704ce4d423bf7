// The reports of all client processes, as one.

import type { ClientsReport } from './clients.js';
import { Latencies } from './latencies.js';
import { CountersSum } from './counters.js';

/** The sum of the reports of all processes. */
export interface VirtualUsersReport {
  readonly agents: CountersSum;
  readonly dashboards: CountersSum;
  readonly connects: Latencies;
  readonly reconnects: Latencies;
  readonly lostSockets: Map<string, number>;
  readonly refusals: Map<string, number>;
  /** The number in the last reports, not a sum over time. */
  connected: number;
}

export function createEmptyReport(): VirtualUsersReport {
  return {
    agents: new CountersSum(),
    dashboards: new CountersSum(),
    connects: new Latencies(),
    reconnects: new Latencies(),
    lostSockets: new Map(),
    refusals: new Map(),
    connected: 0,
  };
}

/** Adds the reports of all processes for one interval. */
export function addReports(sum: VirtualUsersReport, reports: readonly ClientsReport[]): void {
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
