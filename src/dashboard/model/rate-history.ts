// Counts events in each of the last seconds, in a ring buffer of fixed length.

/** How far back the plots reach, in seconds. */
export const HISTORY_S = 180;

interface Sample {
  second: number;
  count: number;
  /** The highest value of the second. */
  highest: number;
}

/** Counts, and highest values, by second. */
export class RateHistory {
  readonly #samples: Sample[] = Array.from({ length: HISTORY_S + 1 }, () => ({
    second: -1,
    count: 0,
    highest: 0,
  }));

  /** Counts an event at a time in ms, with an optional value. */
  add(nowMs: number, value = 0): void {
    const second = Math.floor(nowMs / 1_000);
    const sample = this.#samples[second % this.#samples.length];
    // A late event whose second has left the ring is dropped.
    if (sample === undefined || sample.second > second) return;
    if (sample.second !== second) Object.assign(sample, { second, count: 0, highest: 0 });
    sample.count++;
    sample.highest = Math.max(sample.highest, value);
  }

  /**
   * Reads the completed seconds, the earliest first, as columns: second, count, and highest value
   * or null.
   */
  readSeries(nowMs: number): [seconds: number[], counts: number[], highest: (number | null)[]] {
    const last = Math.floor(nowMs / 1_000) - 1;
    const seconds = Array.from({ length: HISTORY_S }, (_, index) => last - HISTORY_S + 1 + index);
    const samples = seconds.map((second) => {
      const sample = this.#samples[second % this.#samples.length];
      return sample?.second === second ? sample : undefined;
    });
    return [
      seconds,
      samples.map((sample) => sample?.count ?? 0),
      samples.map((sample) => sample?.highest ?? null),
    ];
  }
}
