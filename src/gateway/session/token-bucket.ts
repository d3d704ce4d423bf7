// How much a client may say: a token bucket, filled by time that is handed in. An idle client's is full, so it may
// say a lot at once, and then no more than the bucket is refilled with.

/** Messages a second, on and on. An agent says a few an hour, and one more for each answer it wants to see. */
const PER_SECOND = 20;
/** Messages at once. */
const BURST = 100;
/** A message costs one, and one more for each of these: a renewed token of the longest kind costs nine. */
const BYTES_PER_MESSAGE = 1024;

export class TokenBucket {
  #left = BURST;
  #filledAtMs: number;

  constructor(nowMs: number) {
    this.#filledAtMs = nowMs;
  }

  /** Pays for a message, Ping or Pong of so many bytes. @returns false when there is not enough left. */
  tryConsume(bytes: number, nowMs: number): boolean {
    const refill = ((nowMs - this.#filledAtMs) * PER_SECOND) / 1000;
    this.#filledAtMs = nowMs;
    this.#left = Math.min(BURST, this.#left + refill);
    this.#left -= 1 + Math.floor(bytes / BYTES_PER_MESSAGE);
    return this.#left >= 0;
  }
}
