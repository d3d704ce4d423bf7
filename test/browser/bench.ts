// Measures the dashboard in a real browser: 10,000 VMs, 500 changes a second, for a minute, without
// user input. Prints the longest tasks, the frames, the main thread's CPU, and the heap after a
// garbage collection.
//
//   npm run bench:dashboard          a minute
//   npm run bench:dashboard -- 10    ten seconds

import { setTimeout as sleep } from 'node:timers/promises';
import type { CDPSession, Page } from 'playwright-core';
import { startBrowser, untilLive } from '../helpers/browser.js';
import { startServer } from '../helpers/database.js';
import { startGatewayProcess } from '../helpers/gateway-process.js';
import { changeAll, changeRows, fillRows } from './writing.js';

const VMS = 10_000;
const CHANGES_PER_SECOND = 500;
const ROUNDS = 6;
const SETTLE_MS = 5_000;
const seconds = Number(process.argv[2] ?? 60);

const ends: (() => unknown)[] = [];
const t = { teardown: (end: () => unknown) => void ends.push(end) };

/** The page's long tasks, in ms, and rendered frames since the last call of `take`. */
interface Seen {
  readonly longTasksMs: number[];
  readonly frames: number;
}

const OBSERVE = `
  globalThis.seen = { longTasksMs: [], frames: 0 };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.longTasksMs.push(Math.round(duration));
  }).observe({ type: 'longtask' });
  (function count() { seen.frames++; requestAnimationFrame(count); })();`;

async function heapMiB(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize / 2 ** 20;
}

/** Reads the CPU time of the page's main thread, in seconds. */
async function cpuSeconds(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN;
}

const take = (page: Page): Promise<Seen> =>
  page.evaluate(
    `(() => { const was = seen; seen = { longTasksMs: [], frames: 0 }; return was; })()`,
  );

try {
  const { createDatabase } = await startServer(t);
  const database = await createDatabase();
  await fillRows(database, VMS);
  const gateway = await startGatewayProcess(t, database);
  const open = await startBrowser(t);
  const page = await open(gateway.url, { token: await gateway.token('admin') });
  await untilLive(page);
  const session = await page.context().newCDPSession(page);
  // Every row is changed first, so that the memory of a changed row is allocated before measuring.
  for (let n = 0; n < 3; n++) await changeAll(database);
  await sleep(SETTLE_MS);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.evaluate(OBSERVE);
  const rows: object[] = [];
  const longest: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const forMs = (seconds * 1_000) / ROUNDS;
    const cpuBefore = await cpuSeconds(session);
    const changed = await changeRows(database, VMS, CHANGES_PER_SECOND, forMs);
    const { longTasksMs, frames } = await take(page);
    longest.push(...longTasksMs);
    rows.push({
      'changes/s': Math.round((changed * 1_000) / forMs),
      'frames/s': Math.round((frames * 1_000) / forMs),
      'main thread, CPU': `${((((await cpuSeconds(session)) - cpuBefore) * 100_000) / forMs).toFixed(0)} %`,
      'tasks over 50 ms': longTasksMs.length,
      'longest, ms': Math.max(0, ...longTasksMs),
      'heap, MiB': Number((await heapMiB(session)).toFixed(1)),
    });
    await take(page); // Drops the long task of the forced garbage collection.
  }
  console.table(rows);
  console.log(`tasks over 100 ms: ${longest.filter((ms) => ms > 100).length}`);
} finally {
  for (const end of ends.reverse()) await end();
}
