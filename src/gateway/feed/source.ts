// Where notifications come from, as the feed sees it: a connection that may be lost and is opened
// again. Today's source is LISTEN; another one (a message broker) needs only this interface.

/** Called by a source. The order of `connected` and `disconnected` is that of the connection. */
export interface SourceEvents {
  /** A new connection listens to all channels. Whatever was sent before may have been missed. */
  readonly connected: () => void;
  /** The connection is lost or could not be opened; called once for each failed attempt. */
  readonly disconnected: (reason: Error) => void;
  /** Must not throw. */
  readonly notification: (channel: string, payload: string) => void;
}

export interface NotificationSource {
  /** Connects, and connects again after every loss, until `stop`. */
  start(): void;
  /** Drops the present connection, which is believed dead; another is opened at once. */
  reconnect(reason: Error): void;
  stop(): Promise<void>;
}

/** Makes a source for these channels, not yet started. */
export type CreateSource = (
  channels: readonly string[],
  events: SourceEvents,
) => NotificationSource;
