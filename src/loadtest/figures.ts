// The resources that a gateway uses, whichever source reports them.

export interface Figures {
  /** CPU time of all threads since the start, user and system, in µs. */
  readonly cpuUs: number;
  /** The resident memory of the process, in bytes. */
  readonly rss: number;
  /** The event loop's delay since the last reading: the 99th percentile, and the longest. */
  readonly loopLagMs: { readonly p99: number; readonly max: number };
}

/**
 * The sampling interval of `monitorEventLoopDelay`, which its values include. prom-client uses the
 * same one.
 */
export const LOOP_RESOLUTION_MS = 10;
