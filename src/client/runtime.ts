// What the client takes from the platform it runs on: sockets, HTTP, the clock, chance. Tests bring their own.

import { openSocket, type OpenSocket } from './socket.js';

export interface Runtime {
  readonly openSocket: OpenSocket;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch by the clock on the wall, which is what tokens expire by. */
  readonly now: () => number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Calls `run` once after `delayMs`, at most `MAX_DELAY_MS`. @returns what cancels it. */
  readonly after: (delayMs: number, run: () => void) => () => void;
}

/** A longer `setTimeout` fires at once (HTML, "timers": the delay is a signed 32-bit integer). */
export const MAX_DELAY_MS = 2 ** 31 - 1;

export const platform: Runtime = {
  openSocket,
  fetch: (...request) => fetch(...request),
  now: () => Date.now(),
  random: () => Math.random(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` aborts; never rejects. */
export function sleep(runtime: Runtime, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const stop = (): void => {
      cancel();
      resolve();
    };
    const cancel = runtime.after(delayMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
