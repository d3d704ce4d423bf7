// The random source of a history: the same seed gives the same numbers on every machine.

/** A generator of 32 bits (splitmix32, after S. Vigna's SplitMix). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A source whose numbers depend on both numbers, and on nothing else. */
  static from(seed: number, index: number): Random {
    const mixed = new Random(Math.imul(seed, 0x9e3779b9) ^ Math.imul(index + 1, 0x85ebca6b));
    mixed.next();
    return new Random((mixed.next() * 2 ** 32) ^ index);
  }

  /** From 0 up to, not including, 1. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };

  /** A whole number from 0 up to, not including, `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** True once in so many times, on average. */
  once(times: number): boolean {
    return this.next() * times < 1;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}
