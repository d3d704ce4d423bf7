// The intervals of the feed, of presence and of sockets: how soon what went wrong is noticed, and what is done together.

/** Tests shorten them; nobody else should need to. */
export interface Timing {
  /** Between the Pings of a socket. Under the 60 s after which load balancers cut what is idle. */
  readonly pingIntervalMs: number;
  /** Between two frames of changes: 4 ms cost a third of the CPU of sending each change alone. */
  readonly flushGapMs: number;
  readonly sweepIntervalMs: number;
  readonly beatIntervalMs: number;
  readonly beatDeadlineMs: number;
  readonly checkIntervalMs: number;
  readonly fullReadIntervalMs: number;
  /** How long a gateway's agents count as online without a sign of its life; it gives one three times as often. */
  readonly leaseMs: number;
  /** Between an agent's coming or going and its writing: what happens meanwhile is one statement. */
  readonly presenceWriteGapMs: number;
  /**
   * The same for the pushes of assignments that are not acknowledged meanwhile: they tell nothing urgent, and of a VM that
   * has another by then, only that.
   */
  readonly pushWriteGapMs: number;
  /** Between two reads of presence. */
  readonly presenceReadGapMs: number;
  /** How long a closing gateway waits for the close handshakes of its sockets, in ms. */
  readonly closeHandshakeMs: number;
}

export const TIMING: Timing = {
  pingIntervalMs: 25_000,
  flushGapMs: 4,
  sweepIntervalMs: 1_000,
  beatIntervalMs: 2_000,
  beatDeadlineMs: 5_000,
  checkIntervalMs: 5_000,
  fullReadIntervalMs: 60_000,
  leaseMs: 15_000,
  presenceWriteGapMs: 250,
  pushWriteGapMs: 5_000,
  presenceReadGapMs: 100,
  closeHandshakeMs: 1_000,
};
