// Measures the push latency: the time from a notification's arrival at the listener to the sockets.
// The clock is read twice per VM push and once per flush, whatever the number of sockets. Changes
// found by reading the table have no arrival time and are not measured.

export class PushLatency {
  /** When the notification being handled arrived, in ms. */
  #arrivedMs: number | undefined;
  /** When the oldest change that waits for the next flush arrived, in ms. */
  #pendingMs: number | undefined;

  /**
   * @param observe called with each latency, by kind of subscriber.
   * @param clock a monotonic clock, in ms.
   */
  constructor(
    private readonly observe: (kind: 'vm' | 'fleet', latencyMs: number) => void,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Runs `handle` for a notification that has just arrived, so that its pushes are measured. */
  handleArrival(handle: () => void): void {
    this.#arrivedMs = this.clock();
    handle();
    this.#arrivedMs = undefined;
  }

  /** Called when a change has been pushed to this many subscribers of its VM. */
  recordVmPush(subscribers: number): void {
    if (this.#arrivedMs !== undefined && subscribers > 0)
      this.observe('vm', this.clock() - this.#arrivedMs);
  }

  /** Called when the first change since the last flush begins to wait for the next. */
  markPending(): void {
    this.#pendingMs = this.#arrivedMs;
  }

  /** Called when a flush has pushed the waiting changes to this many subscribers. */
  recordFlush(subscribers: number): void {
    if (this.#pendingMs !== undefined && subscribers > 0)
      this.observe('fleet', this.clock() - this.#pendingMs);
    this.#pendingMs = undefined;
  }
}
