// A resync on a scripted database: reads wait until the test answers, checks return what it sets.

import type { Test } from 'tap';
import { Resync, type ResyncSettings, type TableCheck } from '../../../src/gateway/feed/resync.js';
import { Reconciler, type ReadResult } from '../../../src/gateway/feed/reconciler.js';
import type { ReadRequest } from '../../../src/gateway/stale/stale-hostnames.js';
import type { VmRow } from '../../../src/gateway/fleet/entry.js';
import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import { until } from '../../helpers/until.js';

const NEVER_MS = 3_600_000;

export const vm = (hostname: string, version: number): VmRow => ({
  hostname,
  version,
  status: 'available',
  assignmentId: null,
  row: JSON.stringify({ hostname, version }),
});

export interface PendingRead {
  readonly request: ReadRequest;
  readonly signal: AbortSignal;
  readonly answer: (result: ReadResult) => void;
  readonly fail: (error: Error) => void;
}

/** A resync whose reads wait for the test, and whose checks return `table`. */
export function resyncing(t: Test, settings: Partial<ResyncSettings> = {}) {
  const fleet = new Fleet('epoch', 100);
  const log = { live: [] as boolean[], reads: [] as string[], failed: [] as unknown[], off: 0 };
  const reads: PendingRead[] = [];
  const seam = {
    triggers: 'as made',
    triggersInForce: true,
    checks: 0,
    /** A check waits for this. */
    checked: async (): Promise<void> => undefined,
    publish: (): void => undefined,
    /** The table, as far as it differs from the fleet. */
    table: {} as Partial<TableCheck>,
  };
  const reconciler = new Reconciler(fleet, () => seam.publish());
  const resync = new Resync(
    reconciler,
    {
      read: (request, signal) =>
        new Promise((answer, fail) => reads.push({ request, signal, answer, fail })),
      check: async () => {
        seam.checks++;
        const { triggers, triggersInForce, table } = seam;
        const check = { ...fleet.computeFingerprint(), triggers, triggersInForce, ...table };
        await seam.checked();
        return check;
      },
    },
    {
      liveChanged: (live) => log.live.push(live),
      reading: ({ kind }, reason) => log.reads.push(`${kind}: ${reason}`),
      failed: (error) => log.failed.push(error),
      triggersOff: () => log.off++,
    },
    { checkIntervalMs: NEVER_MS, fullReadIntervalMs: NEVER_MS, ...settings },
  );
  t.teardown(() => resync.stop());
  const nextRead = () => until('a read is sent', () => reads.shift());
  /** Answers the next read with these rows. */
  const answer = async (...rows: VmRow[]) => {
    const read = await nextRead();
    read.answer({ rows, sequence: 100 });
    return read.request;
  };
  const untilLive = (live: boolean) => until(`live is ${live}`, () => resync.live === live);
  /** Makes the feed live with these rows. */
  const goLive = async (...rows: VmRow[]) => {
    resync.start();
    resync.sourceConnected();
    resync.heartbeatArrived();
    await answer(...rows);
    await untilLive(true);
  };
  return { fleet, reconciler, resync, log, reads, seam, nextRead, answer, untilLive, goLive };
}
