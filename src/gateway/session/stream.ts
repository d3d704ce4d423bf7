// The stream of messages that a session sends to its socket. A stream never queues: if the socket
// is not writable, the stream sends the state as it is once the socket has drained.

/**
 * `catching_up`: a snapshot is under way. `lagging`: something is pending because the socket was
 * not writable. `live`: everything has been sent.
 */
export type StreamState = 'catching_up' | 'live' | 'lagging';

/** The two kinds are one VM's (vm-stream.ts) and the fleet's (fleet-stream.ts). */
export interface Stream {
  readonly kind: 'vm' | 'fleet';
  readonly state: StreamState;
  /**
   * How many changes were left out, because the stream lagged or the client was disconnected, and a
   * later change of the same VM replaced them. Never decreases.
   */
  readonly conflated: number;
  /** Subscribes to the hub and sends the current state. Called once. */
  start(): void;
  /** Whether something is pending because the socket was not writable. */
  readonly lagging: boolean;
  /** Sends what is pending. Called when the socket's buffer has emptied. */
  sendPending(): void;
  /** Unsubscribes from the hub. */
  stop(): void;
}
