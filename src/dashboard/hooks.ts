// What components hang on: the frames of the fleet, one clock for all relative times, and the window's size.

import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { LiveFleet } from './live-fleet.js';

/** Draws again after a frame in which what is selected became another. */
export function useFleet<T>(fleet: LiveFleet, select: (fleet: LiveFleet) => T): T {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const value = select(fleet);
  const latest = useRef({ value, select });
  latest.current = { value, select };
  useEffect(
    () =>
      fleet.subscribe(() => {
        const { value: shown, select: look } = latest.current;
        if (!Object.is(look(fleet), shown)) redraw(undefined);
      }),
    [fleet],
  );
  return value;
}

const TICK_MS = 1_000;
const tickers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let skewMs = 0;

/** What the gateway's clock is ahead of this machine's by. */
export function setClockSkew(ms: number): void {
  skewMs = ms;
}

/** The time by the gateway's clock. */
export const readGatewayTime = (): number => Date.now() + skewMs;

/** The time by the gateway's clock, told every second; one timer serves all who ask. */
export function useNow(): number {
  const [nowMs, setNow] = useState(readGatewayTime);
  useEffect(() => {
    const tick = (): void => setNow(readGatewayTime());
    tickers.add(tick);
    timer ??= setInterval(() => tickers.forEach((each) => each()), TICK_MS);
    return () => {
      tickers.delete(tick);
      if (tickers.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }, []);
  return nowMs;
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const update = (): void => setMatches(list.matches);
    update();
    list.addEventListener('change', update);
    return () => list.removeEventListener('change', update);
  }, [query]);
  return matches;
}
