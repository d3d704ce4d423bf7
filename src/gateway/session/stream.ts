// What flows to one socket. A stream never queues: what the socket has no room for is told later, as the state it
// has then.

/**
 * `catching_up`: a snapshot is under way. `behind`: something is still to be told that found no room. `live`: told
 * everything.
 */
export type StreamState = 'catching_up' | 'live' | 'lagging';

/** The two kinds are one VM's (vm-stream.ts) and the fleet's (fleet-stream.ts). */
export interface Stream {
  readonly kind: 'vm' | 'fleet';
  readonly state: StreamState;
  /**
   * How many changes were left out, while behind or away, because a later one of the same VM took their place. Only
   * grows.
   */
  readonly conflated: number;
  /** Joins the hub and tells the current state. */
  start(): void;
  /** Whether something is still to be told that found no room. */
  readonly lagging: boolean;
  /** The socket's buffer has emptied: tell what was left. */
  sendPending(): void;
  /** Leaves the hub. */
  stop(): void;
}
