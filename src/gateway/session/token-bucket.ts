// The rate limit of a client's messages: a token bucket, refilled by the time that the caller
// passes. The bucket of an idle client is full: it may send a burst, and then as fast as the
// refill.

/** Messages per second that are sustained. An agent sends a few per hour, and may ping besides. */
export const MESSAGES_PER_SECOND = 20;
/** Messages of a burst. */
export const MESSAGE_BURST = 100;
/** A message costs 1, and 1 more per this many bytes: renewing the longest token costs 9. */
export const BYTES_PER_MESSAGE = 1024;

export class TokenBucket {
  #tokens = MESSAGE_BURST;
  #refilledAtMs: number;

  constructor(nowMs: number) {
    this.#refilledAtMs = nowMs;
  }

  /**
   * Consumes the cost of a message, Ping or Pong.
   * @param bytes the length of the message.
   * @param nowMs by a monotonic clock.
   * @returns false if the bucket did not hold enough.
   */
  tryConsume(bytes: number, nowMs: number): boolean {
    const refill = ((nowMs - this.#refilledAtMs) * MESSAGES_PER_SECOND) / 1000;
    this.#refilledAtMs = nowMs;
    this.#tokens = Math.min(MESSAGE_BURST, this.#tokens + refill);
    this.#tokens -= 1 + Math.floor(bytes / BYTES_PER_MESSAGE);
    return this.#tokens >= 0;
  }
}
