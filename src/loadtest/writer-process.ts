// The process that changes rows, at a pace that waits for nobody.

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { nowUs } from './clock.js';
import { Latencies, type EncodedLatencies } from './latencies.js';
import { hostnameOf, OWN_ROWS, stampOf } from './rows.js';
import { serve } from './rpc.js';

export interface Pace {
  /** Changed rows a second. */
  readonly perSecond: number;
  /** Rows that one UPDATE changes; as many as there are: all of them. */
  readonly batch: number;
  readonly durationMs: number;
  readonly rows: number;
}

/** What was written since it was last asked. */
export interface Written {
  /** Rows changed, and committed. */
  readonly changes: number;
  /** Those among them that an agent watches. */
  readonly agentChanges: number;
  /** Updates that failed. */
  readonly failed: number;
  /** How far behind its schedule this process itself was. */
  readonly lateness: EncodedLatencies;
}

const CONNECTIONS = 8;
/** A timer may be late by this much; what is left of the time is waited out more exactly. */
const TIMER_MS = 2;

const UPDATE_ONE = {
  name: 'update-one',
  text: 'UPDATE public.vms SET email = $1 WHERE hostname = $2',
};
const UPDATE_SOME = {
  name: 'update-some',
  text: 'UPDATE public.vms SET email = $1 WHERE hostname = ANY ($2)',
};
const UPDATE_ALL = {
  name: 'update-all',
  text: `UPDATE public.vms SET email = $1 WHERE ${OWN_ROWS}`,
};

/** A change waits for a free connection, never for the answer to another that is not in its way. */
let pool: pg.Pool;
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const lateness = new Latencies();
let stopped = false;
const isStopped = (): boolean => stopped;
let watched = 0;
let changes = 0;
let agentChanges = 0;
let failed = 0;

/** Timers are too coarse, by a millisecond; this wakes within tens of microseconds, and burns nothing. */
async function sleepUntil(dueUs: number): Promise<void> {
  const waitMs = (dueUs - nowUs()) / 1e3;
  if (waitMs > TIMER_MS) await sleep(Math.min(waitMs - TIMER_MS, 100));
  const leftMs = (dueUs - nowUs()) / 1e3;
  if (leftMs > TIMER_MS && !isStopped()) await sleepUntil(dueUs);
  else if (leftMs > 0) Atomics.wait(sleeper, 0, 0, Math.min(leftMs, TIMER_MS));
}

/** Neighbours, always the same: so no two of these updates can wait for each other. */
function pick(rows: number, batch: number): number[] {
  const first = Math.floor(Math.random() * Math.ceil(rows / batch)) * batch;
  return Array.from({ length: Math.min(batch, rows - first) }, (_, i) => first + i);
}

async function update(picked: readonly number[], rows: number, sentUs: number): Promise<void> {
  try {
    const { rowCount } = await pool.query(statement(picked.map(hostnameOf), rows, stampOf(sentUs)));
    changes += rowCount ?? 0;
    agentChanges += picked.filter((row) => row < watched).length;
  } catch {
    failed++;
  }
}

function statement(hostnames: readonly string[], rows: number, stamp: string): pg.QueryConfig {
  if (hostnames.length === 1) return { ...UPDATE_ONE, values: [stamp, hostnames[0]] };
  if (hostnames.length === rows) return { ...UPDATE_ALL, values: [stamp] };
  return { ...UPDATE_SOME, values: [stamp, hostnames] };
}

const handlers = {
  /** Opens all connections, so that none is opened while it counts. @param options.agents rows with an agent */
  connect: async (options: { database: pg.ClientConfig; agents: number }): Promise<void> => {
    watched = options.agents;
    pool = new pg.Pool({ ...options.database, max: CONNECTIONS, idleTimeoutMillis: 0 });
    pool.on('error', () => undefined); // The query under way fails too.
    const all = Array.from({ length: CONNECTIONS }, () => pool.connect());
    for (const client of await Promise.all(all)) client.release();
  },

  /**
   * Open loop: each UPDATE is due at a moment fixed beforehand, and its rows carry it. So whatever delays a change, the
   * writer included, counts as latency, and a slow server is not spared the changes that it delays.
   */
  pace: async ({ perSecond, batch, durationMs, rows }: Pace): Promise<void> => {
    stopped = false;
    const updates = Math.round((perSecond * durationMs) / 1e3 / batch);
    const underWay = new Set<Promise<void>>();
    const startUs = nowUs() + 5e3;
    for (let i = 0; i < updates; i++) {
      const dueUs = startUs + (i * 1e6 * batch) / perSecond;
      await sleepUntil(dueUs);
      // Whoever called to stop is heard between two updates.
      if (isStopped()) break;
      lateness.record(nowUs() - dueUs);
      const updated = update(pick(rows, batch), rows, dueUs);
      underWay.add(updated);
      void updated.then(() => underWay.delete(updated));
      await turn();
    }
    await Promise.all(underWay);
  },

  /** Every row at once; resolves when it is committed, with the moment it was sent. */
  all: async ({ rows }: { rows: number }): Promise<{ sentUs: number }> => {
    const sentUs = Math.round(nowUs());
    await update(pick(rows, rows), rows, sentUs);
    return { sentUs };
  },

  /** The first so many rows, at once. */
  first: async ({ rows }: { rows: number }): Promise<void> => {
    const picked = Array.from({ length: rows }, (_, row) => row);
    await update(picked, Infinity, nowUs());
  },

  take: (): Written => {
    const written = { changes, agentChanges, failed, lateness: lateness.take() };
    changes = 0;
    agentChanges = 0;
    failed = 0;
    return written;
  },

  stop: () => {
    stopped = true;
  },
};
export type WriterHandlers = typeof handlers;

serve(handlers);
