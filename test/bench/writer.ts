// The process that changes rows: at a pace that waits for nobody, or all rows in one UPDATE.

import { setImmediate as turn } from 'node:timers/promises';
import pg from 'pg';
import { nowUs } from './clock.js';
import { hostnameOf, stampOf } from './rows.js';
import { serve } from './rpc.js';
import { latencyHistogram } from './tally.js';

export interface PaceOptions {
  readonly perSecond: number;
  readonly durationMs: number;
  readonly rows: number;
}

export interface Paced {
  readonly changes: number;
  /** How far behind its schedule this process itself was, at the 99th percentile. */
  readonly latenessUs: number;
}

const CONNECTIONS = 4;
const UPDATE = {
  name: 'update',
  text: 'UPDATE vms SET email = $1 WHERE hostname = $2',
};

/** A change waits for a free connection, never for the answer to another that is not in its way. */
const pool = new pg.Pool({ max: CONNECTIONS, idleTimeoutMillis: 0 });
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Timers are too coarse, by a millisecond; this wakes within tens of microseconds, and burns nothing. */
function sleepUntil(dueUs: number): void {
  const leftMs = (dueUs - nowUs()) / 1e3;
  if (leftMs > 0) Atomics.wait(sleeper, 0, 0, leftMs);
}

const handlers = {
  /** Opens all connections, so that none is opened while it counts. */
  connect: async (): Promise<void> => {
    const all = Array.from({ length: CONNECTIONS }, () => pool.connect());
    for (const client of await Promise.all(all)) client.release();
  },

  /**
   * Open loop: each change is due at a moment fixed beforehand, and carries it. So whatever delays a change, the
   * writer included, counts as latency, and a slow server is not spared the changes that it delays.
   */
  pace: async ({ perSecond, durationMs, rows }: PaceOptions): Promise<Paced> => {
    const changes = Math.round((perSecond * durationMs) / 1e3);
    const lateness = latencyHistogram();
    const sent: Promise<unknown>[] = [];
    const startUs = nowUs() + 5e3;
    for (let i = 0; i < changes; i++) {
      const dueUs = startUs + (i * 1e6) / perSecond;
      sleepUntil(dueUs);
      lateness.recordValue(Math.max(0, nowUs() - dueUs));
      const hostname = hostnameOf(Math.floor(Math.random() * rows));
      sent.push(pool.query({ ...UPDATE, values: [stampOf(dueUs), hostname] }));
      await turn();
    }
    await Promise.all(sent);
    return { changes, latenessUs: lateness.getValueAtPercentile(99) };
  },

  /** Every row at once; resolves when it is committed, with the moment it was sent. */
  all: async (): Promise<{ sentUs: number }> => {
    const sentUs = Math.round(nowUs());
    await pool.query('UPDATE vms SET email = $1', [stampOf(sentUs)]);
    return { sentUs };
  },
};
export type WriterHandlers = typeof handlers;

serve(handlers);
