// How long news takes from the listener to the sockets. The clock is read twice for a notification that reaches the
// sockets of its VM, and once for a flush, however many sockets there are. What was read from the table instead of
// heard has no arrival, and is not measured.

export class PushLatency {
  /** When the notification arrived that is being handled. */
  #arrivedMs: number | undefined;
  /** When the oldest change arrived that the next flush will tell. */
  #pendingMs: number | undefined;

  /**
   * @param observe told how long it took to those who watch one VM, or all.
   * @param clock one that never jumps, in ms.
   */
  constructor(
    private readonly observe: (kind: 'vm' | 'fleet', tookMs: number) => void,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Handles a notification that has just arrived. */
  handleArrival(handle: () => void): void {
    this.#arrivedMs = this.clock();
    handle();
    this.#arrivedMs = undefined;
  }

  /** A change was handed to so many sockets that watch its VM. */
  recordVmPush(sockets: number): void {
    if (this.#arrivedMs !== undefined && sockets > 0)
      this.observe('vm', this.clock() - this.#arrivedMs);
  }

  /** A change waits for the next flush, the first to do so. */
  markPending(): void {
    this.#pendingMs = this.#arrivedMs;
  }

  /** A flush has handed what waited to so many sockets. */
  recordFlush(sockets: number): void {
    if (this.#pendingMs !== undefined && sockets > 0)
      this.observe('fleet', this.clock() - this.#pendingMs);
    this.#pendingMs = undefined;
  }
}
