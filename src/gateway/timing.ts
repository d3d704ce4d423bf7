// The intervals of the feed, of presence and of sockets: how soon a failure is detected, and which
// changes are handled together.

/** All in ms. Tests shorten them; no operator should need to. */
export interface Timing {
  /**
   * Between the Pings of a socket. A client gives up a gateway that is silent for two or three of
   * them, so that clients of a gateway that hangs are elsewhere within 20 s.
   */
  readonly pingIntervalMs: number;
  /** How long a client may be silent, or read nothing. */
  readonly clientTimeoutMs: number;
  /** Between two frames of changes: 4 ms cost a third of the CPU of sending each change alone. */
  readonly flushGapMs: number;
  /** Between two sweeps over all sessions, for deadlines and limits. */
  readonly sweepIntervalMs: number;
  /** Between two heartbeats of the feed. */
  readonly beatIntervalMs: number;
  /** How long a heartbeat may take before it counts as missed. */
  readonly beatDeadlineMs: number;
  /** Between two cheap checks of the table. */
  readonly checkIntervalMs: number;
  /** Between two routine reads of everything. */
  readonly fullReadIntervalMs: number;
  /** How long a lease lasts, and its agents count as online; renewed three times as often. */
  readonly leaseMs: number;
  /** Between an agent's connect or disconnect and its write: all of that time is one statement. */
  readonly presenceWriteGapMs: number;
  /**
   * The same for pushes that are not acknowledged meanwhile: they are not urgent, and a later push
   * to the same VM replaces them.
   */
  readonly pushWriteGapMs: number;
  /** Between two removals of old rows. */
  readonly pruneIntervalMs: number;
  /** Between two reads of presence. */
  readonly presenceReadGapMs: number;
  /** How long a closing gateway waits for the close handshakes of its sockets. */
  readonly closeHandshakeMs: number;
}

export const TIMING: Timing = {
  pingIntervalMs: 5_000,
  clientTimeoutMs: 50_000,
  flushGapMs: 4,
  sweepIntervalMs: 1_000,
  beatIntervalMs: 2_000,
  beatDeadlineMs: 5_000,
  checkIntervalMs: 5_000,
  fullReadIntervalMs: 60_000,
  leaseMs: 15_000,
  presenceWriteGapMs: 250,
  pushWriteGapMs: 5_000,
  pruneIntervalMs: 300_000,
  presenceReadGapMs: 100,
  closeHandshakeMs: 1_000,
};
