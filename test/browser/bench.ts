// Measures the dashboard in a real browser: 10,000 VMs of which 500 a second change, for a minute, while nobody touches
// the page. Prints the longest tasks, the frames, the main thread's CPU, and the heap after a
// garbage collection.
//
//   npm run bench:dashboard          a minute
//   npm run bench:dashboard -- 10    ten seconds

import type { CDPSession, Page } from 'playwright-core';
import { startBrowser, untilLive } from '../helpers/browser.js';
import { startServer } from '../helpers/database.js';
import { startGatewayProcess } from '../helpers/gateway-process.js';
import { changeRows, fillRows } from './writing.js';

const VMS = 10_000;
const CHANGES_PER_SECOND = 500;
const ROUNDS = 6;
const seconds = Number(process.argv[2] ?? 60);

const ends: (() => unknown)[] = [];
const t = { teardown: (end: () => unknown) => void ends.push(end) };

/** Of the page, since the last time: how long its long tasks took, and how many frames were drawn. */
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

/** What the page's main thread has used, whatever else the machine does. */
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
  // Every row twice, so that what a changed row needs is there before it is weighed.
  for (let n = 0; n < 2; n++) await changeRows(database, VMS, VMS, 1_000);
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
    await take(page); // The garbage collection that was asked for is none of the page's.
  }
  console.table(rows);
  console.log(`tasks over 100 ms: ${longest.filter((ms) => ms > 100).length}`);
} finally {
  for (const end of ends.reverse()) await end();
}
