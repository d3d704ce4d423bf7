// How much of what was sent to a client it has not confirmed. The kernel and proxies accept
// megabytes for a slow link, so an empty buffer does not mean that the client has read. A Ping
// after each part, answered in order, does: neither a Ping nor a Pong then waits behind more than a
// window.

/** After so many bytes a Ping follows. */
const PING_AFTER_BYTES = 64 * 1024;

/** A Ping that is not answered yet. */
interface PendingPing {
  readonly payload: string;
  /** What had been sent before it. */
  readonly sentBytes: number;
}

export class SendWindow {
  #sentBytes = 0;
  #confirmedBytes = 0;
  #pings = 0;
  /**
   * The oldest first. A window has room for a few; a client that answers none is closed after two
   * heartbeats.
   */
  #pending: readonly PendingPing[] = [];

  /** Bytes that were sent, and that no Pong has confirmed. */
  get unconfirmedBytes(): number {
    return this.#sentBytes - this.#confirmedBytes;
  }

  /** Counts a message; returns whether a Ping should follow. */
  add(bytes: number): boolean {
    this.#sentBytes += bytes;
    const pingedBytes = this.#pending.at(-1)?.sentBytes ?? this.#confirmedBytes;
    return this.#sentBytes - pingedBytes >= PING_AFTER_BYTES;
  }

  /** Returns the payload of the next Ping, which is its number. */
  startPing(): string {
    const payload = String(++this.#pings);
    this.#pending = [...this.#pending, { payload, sentBytes: this.#sentBytes }];
    return payload;
  }

  /**
   * Confirms what was sent before a Ping.
   * @param payload of a Pong; a client need not answer any Ping but the latest (RFC 6455 §5.5.3)
   * @returns false if the Pong answers no pending Ping
   */
  confirm(payload: string): boolean {
    const index = this.#pending.findIndex((ping) => ping.payload === payload);
    const answered = this.#pending[index];
    if (answered === undefined) return false;
    this.#confirmedBytes = answered.sentBytes;
    this.#pending = this.#pending.slice(index + 1);
    return true;
  }
}
