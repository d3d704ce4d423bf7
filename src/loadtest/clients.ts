// The simulated clients of one process: their connects at a pace that waits for nobody, what they were told, and what is
// done to them.

import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from './clock.js';
import { Copy } from './replica.js';
import type { Endpoint } from './endpoint.js';
import { Latencies, type EncodedLatencies } from './latencies.js';
import { createReader } from './messages.js';
import type { TableState } from './rows.js';
import { SimulatedClient, type ClientContext, type Identity } from './simulated-client.js';
import { Tally, type TallyReport } from './counters.js';

/** What happened since it was last asked. */
export interface ClientsReport {
  readonly agents: TallyReport;
  readonly dashboards: TallyReport;
  /** From when a client was meant to begin to connect until it was told the state. */
  readonly connects: EncodedLatencies;
  /** From the loss of a socket until the state was told on another. */
  readonly reconnects: EncodedLatencies;
  /** Sockets that the other side closed, by close code. */
  readonly lostSockets: Readonly<Record<number, number>>;
  /** Upgrades that were refused, by HTTP status. */
  readonly refusals: Readonly<Record<number, number>>;
  readonly connected: number;
}

export interface Comparison {
  /** When the last of them was told of a change. */
  readonly toldAtUs: number;
  /** How many rows are not as in the table, of all copies. */
  readonly agents: number;
  readonly dashboards: number;
}

/** Fewer than wait to be accepted at a time (`net.core.somaxconn`), in however many processes. */
const HANDSHAKES_AT_ONCE = 500;
/** Whom nothing reaches for so long has been told all there was to tell. */
const QUIET_US = 250e3;
const POLL_MS = 20;

export class Clients {
  readonly agents: SimulatedClient[] = [];
  readonly dashboards: SimulatedClient[] = [];
  readonly #copies = { agents: [] as Copy[], dashboards: [] as Copy[] };
  readonly #tallies = { agents: new Tally(), dashboards: new Tally() };
  readonly #connects = new Latencies();
  readonly #reconnects = new Latencies();
  #lostSockets: Record<number, number> = {};
  #refusals: Record<number, number> = {};
  readonly #context: ClientContext;

  constructor(endpoint: Endpoint) {
    this.#context = {
      endpoint,
      read: createReader(),
      slot: createSlots(HANDSHAKES_AT_ONCE),
      connected: (tookUs, again) => (again ? this.#reconnects : this.#connects).record(tookUs),
      lost: (code) => count(this.#lostSockets, code),
      refused: (status) => count(this.#refusals, status),
    };
  }

  /** How many clients have a socket over which the state was told. */
  get connected(): number {
    return this.#all.filter(({ hasState }) => hasState).length;
  }

  get #all(): readonly SimulatedClient[] {
    return [...this.agents, ...this.dashboards];
  }

  get #allCopies(): readonly Copy[] {
    return [...this.#copies.agents, ...this.#copies.dashboards];
  }

  /** A copy of one row, as an agent's. */
  watchRow(row: number): Copy {
    const copy = new Copy(row, 1, this.#tallies.agents);
    this.#copies.agents.push(copy);
    return copy;
  }

  /** A copy of all rows, as a dashboard's. */
  watchRows(rows: number): Copy {
    const copy = new Copy(0, rows, this.#tallies.dashboards);
    this.#copies.dashboards.push(copy);
    return copy;
  }

  addAgent(row: number, identity: Identity): void {
    this.agents.push(new SimulatedClient(this.#context, identity, this.watchRow(row)));
  }

  addDashboard(rows: number, identity: Identity): void {
    this.dashboards.push(new SimulatedClient(this.#context, identity, this.watchRows(rows)));
  }

  /** Dashboards first: they are few, and see the others come. Resolves when all have been told to. */
  async connect(perSecond: number, signal: AbortSignal): Promise<void> {
    const startUs = nowUs();
    let next = 0;
    for (const client of [...this.dashboards, ...this.agents]) {
      const dueUs = startUs + (next++ * 1e6) / perSecond;
      const waitMs = (dueUs - nowUs()) / 1e3;
      if (waitMs > 1) await sleep(waitMs);
      if (signal.aborted) return;
      client.connect(dueUs);
    }
  }

  /** From now on, count. */
  record(): void {
    this.#tallies.agents.record(nowUs());
    this.#tallies.dashboards.record(nowUs());
  }

  take(): ClientsReport {
    const { agents, dashboards } = this.#tallies;
    const report = {
      agents: agents.take(),
      dashboards: dashboards.take(),
      connects: this.#connects.take(),
      reconnects: this.#reconnects.take(),
      lostSockets: this.#lostSockets,
      refusals: this.#refusals,
      connected: this.connected,
    };
    this.#lostSockets = {};
    this.#refusals = {};
    return report;
  }

  /** Resolves when nothing has been told for a while. */
  async quiet(deadlineMs: number): Promise<void> {
    const fromUs = nowUs();
    const untilUs = fromUs + deadlineMs * 1e3;
    while (nowUs() < Math.min(Math.max(fromUs, this.#toldAtUs()) + QUIET_US, untilUs)) {
      await sleep(POLL_MS);
    }
  }

  /** Holds all copies against the table; see `Copy.differences`. */
  compare(table: TableState, sinceVersion: number): Comparison {
    const sum = (copies: readonly Copy[]): number =>
      copies.reduce((total, copy) => total + copy.differences(table, sinceVersion), 0);
    const { agents, dashboards } = this.#copies;
    return { toldAtUs: this.#toldAtUs(), agents: sum(agents), dashboards: sum(dashboards) };
  }

  /** Cuts every connection; all come back at once. */
  drop(): void {
    for (const client of this.#all) client.drop();
  }

  stall(dashboards: number): void {
    for (const client of this.dashboards.slice(0, dashboards)) client.stall();
  }

  resume(): void {
    for (const client of this.dashboards) client.resume();
  }

  /** Cuts every connection; all stay away until they are told to connect. */
  leave(): void {
    for (const client of this.#all) client.leave();
  }

  #toldAtUs(): number {
    return this.#allCopies.reduce((latest, { toldAtUs }) => Math.max(latest, toldAtUs), 0);
  }
}

/** So many may be held at a time; who waits longest is next. */
function createSlots(max: number): () => Promise<() => void> {
  let free = max;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    free++;
    waiting.shift()?.();
  };
  return async () => {
    while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    free--;
    let held = true;
    return () => {
      if (held) release();
      held = false;
    };
  };
}

function count(counts: Record<number, number>, key: number): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
