// The result of a load test, as `--json` prints it, and the thresholds that it exceeds. Percentiles
// include all changes that were sent, however late they arrived.

import type { Percentiles } from './latencies.js';
import type { Plan, Thresholds } from './plan.js';

/** The changes that a group of clients received. */
export interface DeliveryResult {
  /** Committed changes, times the clients that watch the changed row. */
  readonly expected: number;
  readonly delivered: number;
  /** Replaced by a later state of the same row, for a client that lagged or was disconnected. */
  readonly conflated: number;
  /** Rows that a client did not know, or knew differently from the table, at the end. */
  readonly lost: number;
  /** Sent again to a client that knew the change and had not just connected. */
  readonly duplicated: number;
  /** Received after a newer state of the same row. */
  readonly outOfOrder: number;
  /** From when the UPDATE was due to be sent until the client had read it. */
  readonly latencyMs: Percentiles;
}

export interface GatewayCost {
  /** From the start of the load until all clients had settled. */
  readonly cpuSeconds: number;
  /** The share of one core, from 0; 1 is a whole core. */
  readonly cpuShare: number;
  readonly cpuUsPerChange: number;
  /** While all clients connected. */
  readonly cpuUsPerConnect: number;
  /** The growth of the process's memory by all connected clients; undefined if it did not grow. */
  readonly bytesPerSocket: number | undefined;
  readonly maxRssBytes: number;
  readonly loopLagMs: { readonly p99: number; readonly max: number };
}

/** About one second of the test. */
export interface Sample {
  /** The end of the sample, since the clients began to connect. */
  readonly atMs: number;
  readonly phase: Phase;
  readonly connected: number;
  /** Per second. */
  readonly changes: number;
  readonly agents: { readonly delivered: number; readonly latencyMs: Percentiles };
  readonly dashboards: { readonly delivered: number; readonly latencyMs: Percentiles };
  /** The gateway's share of one core; undefined if it is unknown. */
  readonly cpuShare: number | undefined;
  readonly rssBytes: number | undefined;
  readonly loopLagMs: { readonly p99: number; readonly max: number } | undefined;
}

export type Phase = 'connecting' | 'load' | 'settling';

export interface LoadTestResult {
  readonly plan: Plan;
  /** Whether the test was ended early. */
  readonly interrupted: boolean;
  /** From when a client was due to connect until it had received the state. */
  readonly connectMs: Percentiles;
  /** From the loss of a socket until the state was received on another. */
  readonly reconnectMs: Percentiles;
  /** Sockets that the gateway or the network closed, by close code. */
  readonly lostSockets: Readonly<Record<string, number>>;
  /** Upgrades that were rejected, by HTTP status. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly agents: DeliveryResult;
  readonly dashboards: DeliveryResult;
  readonly writer: {
    readonly changes: number;
    /** UPDATEs that failed. */
    readonly failed: number;
    /** How late the writer itself was. Latencies of this size say nothing about the gateway. */
    readonly latenessMs: Percentiles;
  };
  /** Undefined if the gateway's resources are unknown. */
  readonly gateway: GatewayCost | undefined;
  readonly faults: readonly {
    readonly fault: string;
    readonly atMs: number;
    /** Why the fault could not be injected. */
    readonly error?: string;
  }[];
  /**
   * From the end of the load until all replicas equalled the table; undefined if some never did.
   */
  readonly settledMs: number | undefined;
  /** The thresholds that were exceeded, for people; empty if the test passed. */
  readonly failures: readonly string[];
  readonly timeline: readonly Sample[];
}

/** Describes each threshold that was exceeded. */
export function findFailures(
  { agents, dashboards, faults, writer }: Omit<LoadTestResult, 'failures'>,
  { maxP99Ms, maxLost }: Thresholds,
): string[] {
  const failures: string[] = [];
  const add = (isExceeded: boolean, text: string): void => {
    if (isExceeded) failures.push(text);
  };
  const lost = agents.lost + dashboards.lost;
  add(lost > maxLost, `${lost} lost; the limit is ${maxLost}`);
  for (const [name, { duplicated, outOfOrder, latencyMs }] of Object.entries({
    agents,
    dashboards,
  })) {
    add(duplicated > 0, `${duplicated} duplicated to ${name}`);
    add(outOfOrder > 0, `${outOfOrder} out of order to ${name}`);
    const { p99 } = latencyMs;
    const isSlow = maxP99Ms !== undefined && p99 > maxP99Ms;
    add(isSlow, `p99 of ${name} is ${p99.toFixed(1)} ms; the limit is ${maxP99Ms} ms`);
  }
  add(writer.failed > 0, `${writer.failed} UPDATEs failed`);
  for (const { fault, error } of faults) add(error !== undefined, `${fault}: ${error}`);
  return failures;
}
