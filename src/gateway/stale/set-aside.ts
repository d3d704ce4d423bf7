// Elements that cannot be processed, such as a hostname that the database cannot store: each is set
// aside alone, and tried again after a pause that doubles. Pure: no I/O, no timers.

import type { Backoff } from '../../time/backoff.js';

const RETRY: Backoff = { baseMs: 5_000, capMs: 300_000 };

interface Attempt {
  readonly failures: number;
  readonly retryAtMs: number;
}

export class SetAside<Element> {
  readonly #elements = new Map<string, Attempt & { readonly element: Element }>();
  /** The elements that are tried again now, and how often each failed before. */
  readonly #retried = new Map<string, number>();

  /** @param clock a clock that never jumps, in ms. */
  constructor(
    private readonly clock: () => number = () => performance.now(),
    private readonly backoff: Backoff = RETRY,
  ) {}

  /** How many elements are set aside, or are being tried again. */
  get size(): number {
    return this.#elements.size + this.#retried.size;
  }

  has(key: string): boolean {
    return this.#elements.has(key);
  }

  /**
   * Sets an element aside, in place of an earlier one with the same key.
   * @returns whether this is the first failure of the key, which is to be logged
   */
  add(key: string, element: Element): boolean {
    const failures = this.#elements.get(key)?.failures ?? this.#retried.get(key) ?? 0;
    this.#retried.delete(key);
    const pauseMs = Math.min(this.backoff.capMs, this.backoff.baseMs * 2 ** failures);
    this.#elements.set(key, {
      element,
      failures: failures + 1,
      retryAtMs: this.clock() + pauseMs,
    });
    return failures === 0;
  }

  /** Replaces an element that is set aside, and leaves its pause as it is. */
  replace(key: string, element: Element): void {
    const known = this.#elements.get(key);
    if (known !== undefined) this.#elements.set(key, { ...known, element });
  }

  /** The element was processed. */
  succeed(key: string): void {
    this.#retried.delete(key);
  }

  /** Takes out the elements whose pause is over; each is then added again, or succeeds. */
  takeDue(): Element[] {
    const due: Element[] = [];
    for (const [key, { element, failures, retryAtMs }] of this.#elements) {
      if (retryAtMs > this.clock()) continue;
      this.#elements.delete(key);
      this.#retried.set(key, failures);
      due.push(element);
    }
    return due;
  }
}
