// Loaded into a server's process before its program: reports the resources that the process uses,
// and ends the process when its parent is gone. Memory is exact with --expose-gc.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOOP_RESOLUTION_MS, type Figures } from './figures.js';
import { serve } from './rpc.js';

export interface MemorySample {
  /** The resident memory, in bytes. */
  readonly rss: number;
  /** The part that JavaScript uses: heap, buffers and external objects, in bytes. */
  readonly heap: number;
}

/** V8 returns freed pages to the system shortly after a collection. */
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
