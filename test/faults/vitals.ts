// The memory and descriptors of a gateway's process, from the system and from its own metrics.

import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayProcess } from './gateway-process.js';

export interface Vitals {
  /** JavaScript's objects, right after a collection: the least of many looks. */
  readonly heapBytes: number;
  /** All the memory the process holds. */
  readonly residentBytes: number;
  readonly descriptors: number;
}

/** Long enough for several collections. */
const LOOKS = 100;
const BETWEEN_LOOKS_MS = 200;

/**
 * The part of growth that is chance: a heap that V8 has sized for a busier moment; connections that
 * a pool has or has not.
 */
const SPARE_BYTES = 16 * 1024 * 1024;
const SPARE_DESCRIPTORS = 12;

export async function readMetric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

export async function takeVitals({ url, pid }: GatewayProcess): Promise<Vitals> {
  let heapBytes = Infinity;
  for (let look = 0; look < LOOKS; look++) {
    heapBytes = Math.min(heapBytes, await readMetric(url, 'nodejs_heap_size_used_bytes'));
    await sleep(BETWEEN_LOOKS_MS);
  }
  const residentBytes = await readMetric(url, 'process_resident_memory_bytes');
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { heapBytes, residentBytes, descriptors };
}

/** The growth, in words; empty if there is none. */
export function describeGrowth(before: Vitals, after: Vitals): string[] {
  const grown: string[] = [];
  if (after.heapBytes > 1.25 * before.heapBytes + SPARE_BYTES) grown.push('the heap has grown');
  if (after.descriptors > before.descriptors + SPARE_DESCRIPTORS)
    grown.push('descriptors are left open');
  return grown;
}

export function describeVitals({ heapBytes, residentBytes, descriptors }: Vitals): string {
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `heap ${mib(heapBytes)}, resident ${mib(residentBytes)}, ${descriptors} descriptors`;
}
