// Random and mutated text and bytes from a seed, a million of them in seconds: samples that are
// right, and what becomes of them when parts are cut out, doubled, exchanged, or replaced by what
// breaks the careless.

const HOSTILE = [
  ...['null', '{}', '[]', '"', '\\', '\\u0000', '\\ud800', '\0', '\n', ':', ',', '{"', '__proto__'],
  ...['1e999', '-0', '9007199254740993', '0x1', 'NaN', 'true', '😀', '"constructor"', '"hostname"'],
  ...['"type"', '"version":-1', '"version":1.5', '"op":"read"', '['.repeat(300), 'x'.repeat(5_000)],
];

const MOST_MUTATIONS = 4;

export class Mutations {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, not including, `bound`: mulberry32. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound;
  }

  index(length: number): number {
    return Math.floor(this.below(length));
  }

  of<T>(values: readonly [T, ...T[]]): T {
    return values[this.index(values.length)] ?? values[0];
  }

  /** A sample as it is, a mutated one, or a random value. */
  text(samples: readonly [string, ...string[]]): string {
    const kind = this.index(10);
    if (kind === 0) return this.noise(this.index(200)).toString('latin1');
    let text = this.of(samples);
    if (kind <= 2) return text;
    for (let n = 1 + this.index(MOST_MUTATIONS); n > 0; n--) text = this.#mutate(text, samples);
    return text;
  }

  noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.index(256)));
  }

  #mutate(text: string, samples: readonly [string, ...string[]]): string {
    const at = this.index(text.length + 1);
    const end = at + this.index(Math.min(20, text.length - at + 1));
    const rest = text.slice(end);
    switch (this.index(6)) {
      case 0:
        return text.slice(0, at) + rest;
      case 1:
        return text.slice(0, end) + text.slice(at);
      case 2:
        return text.slice(0, at) + this.of(HOSTILE as [string, ...string[]]) + rest;
      case 3:
        return text.slice(0, at) + String.fromCharCode(this.index(65_536)) + rest;
      case 4:
        return text.slice(0, at) + String(this.index(1e6)) + rest;
      default: {
        const other = this.of(samples);
        return text.slice(0, at) + other.slice(this.index(other.length + 1));
      }
    }
  }
}
