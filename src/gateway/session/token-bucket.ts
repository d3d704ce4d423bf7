// How much a client may say: a token bucket, filled by time that is handed in. An idle client's is full, so it may
// say a lot at once, and then no more than the bucket is refilled with.

/** Messages a second, on and on. An agent says a few an hour, and one more for each answer it wants to see. */
export const MESSAGES_PER_SECOND = 20;
/** Messages at once. */
export const MESSAGE_BURST = 100;
/** A message costs one, and one more for each of these: a renewed token of the longest kind costs nine. */
export const BYTES_PER_MESSAGE = 1024;

export class TokenBucket {
  #left = MESSAGE_BURST;
  #filledAtMs: number;

  constructor(nowMs: number) {
    this.#filledAtMs = nowMs;
  }

  /** Pays for a message, Ping or Pong of so many bytes. @returns false when there is not enough left. */
  tryConsume(bytes: number, nowMs: number): boolean {
    const refill = ((nowMs - this.#filledAtMs) * MESSAGES_PER_SECOND) / 1000;
    this.#filledAtMs = nowMs;
    this.#left = Math.min(MESSAGE_BURST, this.#left + refill);
    this.#left -= 1 + Math.floor(bytes / BYTES_PER_MESSAGE);
    return this.#left >= 0;
  }
}
