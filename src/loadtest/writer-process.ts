// The process that changes rows, at a fixed rate: it never waits for the gateway or the clients.

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { nowUs } from './clock.js';
import { Latencies, type EncodedLatencies } from './latencies.js';
import { formatHostname, OWN_ROWS, formatStamp } from './rows.js';
import { serve } from './rpc.js';

export interface Pace {
  /** Changed rows per second. */
  readonly perSecond: number;
  /** Rows that one UPDATE changes. */
  readonly batch: number;
  readonly durationMs: number;
  readonly rows: number;
}

/** Everything written since the last report. */
export interface Written {
  /** Rows that were changed and committed. */
  readonly changes: number;
  /** The part of them that an agent watches. */
  readonly agentChanges: number;
  /** UPDATEs that failed. */
  readonly failed: number;
  /** How late this process itself was. */
  readonly lateness: EncodedLatencies;
}

const CONNECTIONS = 8;
/** A timer may be late by this much; the rest of a pause is waited for more precisely. */
const TIMER_MS = 2;

const ONE = 'WHERE hostname = $2';
const SOME = 'WHERE hostname = ANY ($2)';
const ALL = `WHERE ${OWN_ROWS}`;
/** For a table without the trigger that gives each change its version. */
const VERSION = `, version = nextval('public.vms_version_seq')`;

/** Several connections, so that a change does not wait for the result of an earlier one. */
let pool: pg.Pool;
let assignments = 'email = $1';
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const lateness = new Latencies();
let stopped = false;
const isStopped = (): boolean => stopped;
let watched = 0;
let changes = 0;
let agentChanges = 0;
let failed = 0;

/** Sleeps more precisely than a timer, within tens of microseconds, and without a busy loop. */
async function sleepUntil(dueUs: number): Promise<void> {
  const waitMs = (dueUs - nowUs()) / 1e3;
  if (waitMs > TIMER_MS) await sleep(Math.min(waitMs - TIMER_MS, 100));
  const leftMs = (dueUs - nowUs()) / 1e3;
  if (leftMs > TIMER_MS && !isStopped()) await sleepUntil(dueUs);
  else if (leftMs > 0) Atomics.wait(sleeper, 0, 0, Math.min(leftMs, TIMER_MS));
}

/** Picks a fixed group of neighbouring rows, so that two UPDATEs cannot deadlock. */
function pickRows(rows: number, batch: number): number[] {
  const first = Math.floor(Math.random() * Math.ceil(rows / batch)) * batch;
  return Array.from({ length: Math.min(batch, rows - first) }, (_, i) => first + i);
}

async function update(picked: readonly number[], rows: number, sentUs: number): Promise<void> {
  try {
    const { rowCount } = await pool.query(
      buildUpdate(picked.map(formatHostname), rows, formatStamp(sentUs)),
    );
    changes += rowCount ?? 0;
    agentChanges += picked.filter((row) => row < watched).length;
  } catch {
    failed++;
  }
}

function buildUpdate(hostnames: readonly string[], rows: number, stamp: string): pg.QueryConfig {
  if (hostnames.length === 1) return prepare('update-one', ONE, [stamp, hostnames[0]]);
  if (hostnames.length === rows) return prepare('update-all', ALL, [stamp]);
  return prepare('update-some', SOME, [stamp, hostnames]);
}

function prepare(name: string, where: string, values: unknown[]): pg.QueryConfig {
  return { name, text: `UPDATE public.vms SET ${assignments} ${where}`, values };
}

const handlers = {
  /**
   * Opens all connections before the load.
   *
   * @param options.agents how many rows have an agent.
   * @param options.setsVersion whether each UPDATE sets `version`, as no trigger does.
   */
  connect: async (options: {
    database: pg.ClientConfig;
    agents: number;
    setsVersion: boolean;
  }): Promise<void> => {
    watched = options.agents;
    if (options.setsVersion) assignments += VERSION;
    pool = new pg.Pool({ ...options.database, max: CONNECTIONS, idleTimeoutMillis: 0 });
    pool.on('error', () => undefined); // The running query fails too.
    const all = Array.from({ length: CONNECTIONS }, () => pool.connect());
    for (const client of await Promise.all(all)) client.release();
  },

  /**
   * Open loop: each UPDATE is due at a time that is fixed beforehand, and its rows carry that time.
   * Every delay counts as latency, the writer's included, and a slow server gets no fewer changes.
   */
  pace: async ({ perSecond, batch, durationMs, rows }: Pace): Promise<void> => {
    stopped = false;
    const updates = Math.round((perSecond * durationMs) / 1e3 / batch);
    const pending = new Set<Promise<void>>();
    const startUs = nowUs() + 5e3;
    for (let i = 0; i < updates; i++) {
      const dueUs = startUs + (i * 1e6 * batch) / perSecond;
      await sleepUntil(dueUs);
      // A call of `stop` arrives between two UPDATEs.
      if (isStopped()) break;
      lateness.record(nowUs() - dueUs);
      const updated = update(pickRows(rows, batch), rows, dueUs);
      pending.add(updated);
      void updated.then(() => pending.delete(updated));
      await turn();
    }
    await Promise.all(pending);
  },

  /** Changes all rows in one UPDATE. Returns when the UPDATE was sent, once it is committed. */
  all: async ({ rows }: { rows: number }): Promise<{ sentUs: number }> => {
    const sentUs = Math.round(nowUs());
    await update(pickRows(rows, rows), rows, sentUs);
    return { sentUs };
  },

  /** Changes the first rows in one UPDATE. */
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
