// Chance that is the same every time: whoever shows the demo twice shows the same workshop.

/** Numbers from 0 up to, not including, 1 (mulberry32, by Tommy Ettinger). */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Evenly between the two. */
export function between(random: Random, [least, most]: readonly [number, number]): number {
  return least + random() * (most - least);
}
