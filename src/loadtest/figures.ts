// What a gateway costs and how it fares, wherever that is known from.

export interface Figures {
  /** CPU time of all threads since the start, user and system, in µs. */
  readonly cpuUs: number;
  /** All the memory that the process holds, in bytes. */
  readonly rss: number;
  /** How long the event loop was held up since it was last asked: the 99th percentile, and the longest. */
  readonly loopLagMs: { readonly p99: number; readonly max: number };
}

/** Between two looks at the event loop; part of what `monitorEventLoopDelay` reports, as prom-client takes it too. */
export const LOOP_RESOLUTION_MS = 10;
