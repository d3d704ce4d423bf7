// Detects a gateway that has gone silent. Browsers hide WebSocket Pings from programs, so the
// client sends a `ping` message after a quiet interval, and gives up after a second quiet one.

import type { Runtime } from './runtime.js';

export interface KeepAliveEvents {
  /** Nothing arrived for one interval: send a `ping`. */
  readonly ping: () => void;
  /** Nothing arrived for two intervals: give up. */
  readonly silent: () => void;
}

export class KeepAlive {
  /**
   * Quiet intervals in a row. Intervals are counted, not time: a browser stretches the timers of a
   * hidden page.
   */
  #quietIntervals = 0;
  #active = false;
  #cancel = (): void => undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly events: KeepAliveEvents,
  ) {}

  start(intervalMs: number): void {
    this.stop();
    this.#cancel = this.runtime.after(intervalMs, () => this.#checkInterval(intervalMs));
  }

  /** Call this when a frame of any kind arrives. */
  markActive(): void {
    this.#active = true;
  }

  stop(): void {
    this.#cancel();
  }

  #checkInterval(intervalMs: number): void {
    this.#quietIntervals = this.#active ? 0 : this.#quietIntervals + 1;
    this.#active = false;
    if (this.#quietIntervals >= 2) {
      this.events.silent();
      return;
    }
    this.start(intervalMs);
    if (this.#quietIntervals === 1) this.events.ping();
  }
}
