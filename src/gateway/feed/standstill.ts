// Measures how long the event loop stood still: a timer that is late by much shows that the process
// had no CPU, or that something held the loop. Until then nothing that arrived could be read.

const SAMPLE_MS = 100;
/** A timer may be late by this much on a machine that has CPU to spare. */
const TOLERANCE_MS = 50;

export class Standstill {
  #timer: NodeJS.Timeout | undefined;
  #expectedMs = 0;
  #totalMs = 0;

  start(): void {
    this.stop();
    this.#expectedMs = performance.now() + SAMPLE_MS;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** In ms: how long the loop stood still since the first start, also if it has just gone on. */
  get totalMs(): number {
    if (this.#timer !== undefined) this.#sample();
    return this.#totalMs;
  }

  #sample(): void {
    const nowMs = performance.now();
    const lateMs = nowMs - this.#expectedMs;
    if (lateMs > TOLERANCE_MS) this.#totalMs += lateMs;
    if (lateMs > -TOLERANCE_MS) this.#expectedMs = nowMs + SAMPLE_MS;
  }
}
