// Loaded into a server's process before its own program: answers what the process costs, and ends it when whoever
// started it is gone. Memory is exact where --expose-gc is given.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOOP_RESOLUTION_MS, type Figures } from './figures.js';
import { serve } from './rpc.js';

export interface MemorySample {
  /** All the memory the process holds, in bytes. */
  readonly rss: number;
  /** What of it JavaScript holds: its heap, and the buffers and objects beside it. */
  readonly heap: number;
}

/** Freed pages go back to the system a little after the collection. */
const AFTER_GC_MS = 300;

const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
loop.enable();

const handlers = {
  cpuUs: (): number => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  figures: (): Figures => {
    const lagMs = (ns: number): number => Math.max(0, ns / 1e6 - LOOP_RESOLUTION_MS);
    const figures = {
      cpuUs: handlers.cpuUs(),
      rss: process.memoryUsage.rss(),
      loopLagMs: { p99: lagMs(loop.percentile(99)), max: lagMs(loop.max) },
    };
    loop.reset();
    return figures;
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

serve(handlers, () => process.kill(process.pid, 'SIGKILL'));
