// The platform under the client: sockets, HTTP, clock, timers, randomness. Tests replace it.

import { openSocket, type OpenSocket } from './socket.js';

export interface Runtime {
  /** Opens a WebSocket. Default: the platform's `WebSocket`, or `ws` where there is none. */
  readonly openSocket: OpenSocket;
  /** Requests a URL over HTTP. Default: the platform's `fetch`. */
  readonly fetch: typeof fetch;
  /** The wall clock, in milliseconds since the epoch; tokens expire by it. Default: `Date.now`. */
  readonly now: () => number;
  /** A random number from 0 up to, not including, 1. Default: `Math.random`. */
  readonly random: () => number;
  /**
   * Calls `run` once after `delayMs`, at most `MAX_DELAY_MS`. Returns a function that cancels the
   * call. Default: `setTimeout`.
   */
  readonly after: (delayMs: number, run: () => void) => () => void;
  /** The origin of the page, in a browser. Default: that of `location`. */
  readonly pageOrigin?: string | undefined;
}

/** A longer `setTimeout` fires at once (HTML, "timers": the delay is a signed 32-bit integer). */
export const MAX_DELAY_MS = 2 ** 31 - 1;

const { location } = globalThis as { location?: { readonly origin?: string } };

export const platform: Runtime = {
  pageOrigin: location?.origin,
  openSocket,
  fetch: (...request) => fetch(...request),
  now: () => Date.now(),
  random: () => Math.random(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
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
