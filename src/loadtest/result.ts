// What a load test found, as `--json` prints it, and what of it is too much. Times are in ms where they are not in
// seconds, and percentiles of all changes that were sent, however late they were.

import type { Percentiles } from './latencies.js';
import type { Plan, Thresholds } from './plan.js';

/** What a group of clients was told of the changes that concern it. */
export interface Delivery {
  /** Changes that were made and committed, times those who watch them. */
  readonly expected: number;
  readonly delivered: number;
  /** Never told, because a later state of the same row was, to one who was behind or away. */
  readonly conflated: number;
  /** Rows that a client knew otherwise than the table, or not at all, when all was over. */
  readonly lost: number;
  /** Told again to one who knew, and had not just connected. */
  readonly duplicated: number;
  /** Told after a newer state of the same row. */
  readonly outOfOrder: number;
  /** From when the UPDATE was due to be sent until the client had read it. */
  readonly latencyMs: Percentiles;
}

export interface GatewayCost {
  /** Of the load alone, until all was settled. */
  readonly cpuSeconds: number;
  /** Of one core. */
  readonly cpuShare: number;
  readonly cpuUsPerChange: number;
  /** Of connecting all clients. */
  readonly cpuUsPerConnect: number;
  /** What its process holds more with all clients connected; undefined where that drowns in what it held before. */
  readonly bytesPerSocket: number | undefined;
  readonly maxRssBytes: number;
  readonly loopLagMs: { readonly p99: number; readonly max: number };
}

/** One second or so of the test. */
export interface Sample {
  /** Its end, since the clients began to connect. */
  readonly atMs: number;
  readonly phase: Phase;
  readonly connected: number;
  /** A second. */
  readonly changes: number;
  readonly agents: { readonly delivered: number; readonly latencyMs: Percentiles };
  readonly dashboards: { readonly delivered: number; readonly latencyMs: Percentiles };
  /** Of the gateway; undefined where it did not say. */
  readonly cpuShare: number | undefined;
  readonly rssBytes: number | undefined;
  readonly loopLagMs: { readonly p99: number; readonly max: number } | undefined;
}

export type Phase = 'connecting' | 'load' | 'settling';

export interface LoadTestResult {
  readonly plan: Plan;
  /** Whether it was ended before its time. */
  readonly interrupted: boolean;
  /** From when a client was due to begin to connect until it had been told the state. */
  readonly connectMs: Percentiles;
  /** From the loss of a socket until the state had been told on another. */
  readonly reconnectMs: Percentiles;
  /** Sockets that the gateway or the network closed, by close code. */
  readonly lostSockets: Readonly<Record<string, number>>;
  /** Upgrades that were refused, by HTTP status. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly agents: Delivery;
  readonly dashboards: Delivery;
  readonly writer: {
    readonly changes: number;
    /** UPDATEs. */
    readonly failed: number;
    /** How late the writer itself was: latencies of this size say nothing of the gateway. */
    readonly latenessMs: Percentiles;
  };
  /** Undefined where the gateway did not say. */
  readonly gateway: GatewayCost | undefined;
  readonly faults: readonly {
    readonly fault: string;
    readonly atMs: number;
    /** Why it could not be made. */
    readonly error?: string;
  }[];
  /** From the end of the load until everyone knew the table; undefined when not everyone did. */
  readonly settledMs: number | undefined;
  /** What was too much, in words; empty when all is well. */
  readonly failures: readonly string[];
  readonly timeline: readonly Sample[];
}

/** What was too much, in words. */
export function failuresOf(
  { agents, dashboards, faults, writer }: Omit<LoadTestResult, 'failures'>,
  { maxP99Ms, maxLost }: Thresholds,
): string[] {
  const failures: string[] = [];
  const add = (isTooMuch: boolean, text: string): void => {
    if (isTooMuch) failures.push(text);
  };
  const lost = agents.lost + dashboards.lost;
  add(lost > maxLost, `${lost} lost, and at most ${maxLost} may be`);
  for (const [name, { duplicated, outOfOrder, latencyMs }] of Object.entries({
    agents,
    dashboards,
  })) {
    add(duplicated > 0, `${duplicated} duplicated to ${name}`);
    add(outOfOrder > 0, `${outOfOrder} out of order to ${name}`);
    const { p99 } = latencyMs;
    const isSlow = maxP99Ms !== undefined && p99 > maxP99Ms;
    add(isSlow, `p99 of ${name} ${p99.toFixed(1)} ms, and at most ${maxP99Ms} ms may be`);
  }
  add(writer.failed > 0, `${writer.failed} UPDATEs failed`);
  for (const { fault, error } of faults) add(error !== undefined, `${fault}: ${error}`);
  return failures;
}
