// A runtime whose clock a test moves, and whose random numbers a test fixes.

import type { Runtime } from '../../src/client/runtime.js';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualRuntime {
  #nowMs = Date.UTC(2030, 0, 1);
  readonly #timers = new Set<Timer>();

  /** @param chance the number that `random` always returns. */
  constructor(private readonly chance = 0.5) {}

  get runtime(): Partial<Runtime> {
    return {
      now: () => this.#nowMs,
      random: () => this.chance,
      after: (delayMs, run) => this.#after(delayMs, run),
    };
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The time until each timer fires, from now. */
  get delaysMs(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Moves the clock, and fires the timers that become due, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= untilMs);
      const [first] = due.sort((a, b) => a.atMs - b.atMs);
      if (first === undefined) break;
      this.#nowMs = first.atMs;
      this.#timers.delete(first);
      first.run();
    }
    this.#nowMs = untilMs;
  }

  #after(delayMs: number, run: () => void): () => void {
    // As on the platform, a longer delay fires at once.
    const timer = { atMs: this.#nowMs + (delayMs < 2 ** 31 ? delayMs : 1), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
