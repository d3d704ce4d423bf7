// Loaded into a server before its own program: answers what the process costs. Needs --expose-gc.

import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from './rpc.js';

export interface MemorySample {
  /** All the memory the process holds, in bytes. */
  readonly rss: number;
  /** What of it JavaScript holds: its heap, and the buffers and objects beside it. */
  readonly heap: number;
}

/** Freed pages go back to the system a little after the collection. */
const AFTER_GC_MS = 300;

const handlers = {
  /** CPU time of all threads since the start, user and system, in µs. */
  cpuUs: () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  memory: async (): Promise<MemorySample> => {
    for (let i = 0; i < 2; i++) {
      globalThis.gc?.();
      await sleep(AFTER_GC_MS);
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heap: heapUsed + external };
  },
};
export type ProbeHandlers = typeof handlers;

serve(handlers);
