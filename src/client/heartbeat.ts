// Notices a peer that has gone silent. Browsers hide the gateway's Pings, so the client asks with a message of its
// own after a quiet interval, and gives up when the next one is quiet too.

import type { Runtime } from './runtime.js';

export interface HeartbeatEvents {
  readonly ping: () => void;
  readonly silent: () => void;
}

export class Heartbeat {
  /** Quiet intervals in a row. A browser stretches the timers of a hidden page, so time itself proves nothing. */
  #quiet = 0;
  #heard = false;
  #cancel = (): void => undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly events: HeartbeatEvents,
  ) {}

  start(intervalMs: number): void {
    this.stop();
    this.#cancel = this.runtime.after(intervalMs, () => this.#tick(intervalMs));
  }

  /** Anything arrived. */
  heard(): void {
    this.#heard = true;
  }

  stop(): void {
    this.#cancel();
  }

  #tick(intervalMs: number): void {
    this.#quiet = this.#heard ? 0 : this.#quiet + 1;
    this.#heard = false;
    if (this.#quiet >= 2) {
      this.events.silent();
      return;
    }
    this.start(intervalMs);
    if (this.#quiet === 1) this.events.ping();
  }
}
