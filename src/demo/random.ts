// Random numbers from a seed, so that the demo shows the same workshop every time.

/** Returns numbers from 0 up to, not including, 1 (mulberry32, by Tommy Ettinger). */
export type Random = () => number;

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns a number between the two, evenly distributed. */
export function pickBetween(random: Random, [least, most]: readonly [number, number]): number {
  return least + random() * (most - least);
}
