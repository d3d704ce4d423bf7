// Hooks of the components: the frames of the fleet, one clock for all relative times, and media
// queries.

import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { readGatewayTime, toGatewayTime } from './clock.js';
import type { LiveFleet } from './live-fleet.js';

/** Renders the component again after a frame in which the selected value has changed. */
export function useFleet<T>(fleet: LiveFleet, select: (fleet: LiveFleet) => T): T {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const value = select(fleet);
  const latest = useRef({ value, select });
  latest.current = { value, select };
  useEffect(() => {
    const check = (): void => {
      const { value: rendered, select: read } = latest.current;
      if (!Object.is(read(fleet), rendered)) redraw(undefined);
    };
    // A frame may have passed since the first render, before this effect ran.
    check();
    return fleet.subscribe(check);
  }, [fleet]);
  return value;
}

const TICK_MS = 1_000;
const tickers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** The time of the gateway's clock, updated every second. All components share one timer. */
export function useNow(): number {
  const [nowMs, setNow] = useState(readGatewayTime);
  useEffect(() => {
    const tick = (): void => setNow(readGatewayTime());
    tickers.add(tick);
    timer ??= setInterval(() => tickers.forEach((ticker) => ticker()), TICK_MS);
    return () => {
      tickers.delete(tick);
      if (tickers.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }, []);
  return nowMs;
}

/**
 * The time that relative times refer to: the gateway's, which stands still while the fleet is not
 * current, so that an old state does not look alive.
 */
export function useFleetTime(fleet: LiveFleet): number {
  const nowMs = useNow();
  const asOfMs = useFleet(fleet, ({ asOfMs: time }) => time);
  return asOfMs === undefined ? nowMs : toGatewayTime(asOfMs);
}

/** Whether a media query matches. */
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
