// A clock that moves only when the test moves it, and a random source without chance.

import type { Runtime } from '../../src/client/runtime.js';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualRuntime {
  #nowMs = Date.UTC(2030, 0, 1);
  readonly #timers = new Set<Timer>();

  /** @param chance what `random` always gives. */
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

  /** How long from now until each timer fires. */
  get delaysMs(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Moves the clock, firing what becomes due in order. */
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
    // As the platform has it: a longer delay fires at once.
    const timer = { atMs: this.#nowMs + (delayMs < 2 ** 31 ? delayMs : 1), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
