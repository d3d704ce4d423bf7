// How much happened in each of the last seconds: rings of a fixed length, whatever comes.

/** How far back the plots reach. */
export const HISTORY_S = 180;

interface Sample {
  second: number;
  count: number;
  /** The longest of the second. */
  highest: number;
}

/** What was counted or measured, second by second. */
export class RateHistory {
  readonly #slots: Sample[] = Array.from({ length: HISTORY_S + 1 }, () => ({
    second: -1,
    count: 0,
    highest: 0,
  }));

  add(nowMs: number, value = 0): void {
    const second = Math.floor(nowMs / 1_000);
    const slot = this.#slots[second % this.#slots.length];
    // One that is told late has no place any more.
    if (slot === undefined || slot.second > second) return;
    if (slot.second !== second) Object.assign(slot, { second, count: 0, highest: 0 });
    slot.count++;
    slot.highest = Math.max(slot.highest, value);
  }

  /** The seconds that are over, the earliest first, as columns: when, how many, the highest (null where none). */
  readSeries(nowMs: number): [seconds: number[], counts: number[], highest: (number | null)[]] {
    const last = Math.floor(nowMs / 1_000) - 1;
    const seconds = Array.from({ length: HISTORY_S }, (_, index) => last - HISTORY_S + 1 + index);
    const slots = seconds.map((second) => {
      const slot = this.#slots[second % this.#slots.length];
      return slot?.second === second ? slot : undefined;
    });
    return [
      seconds,
      slots.map((slot) => slot?.count ?? 0),
      slots.map((slot) => slot?.highest ?? null),
    ];
  }
}
