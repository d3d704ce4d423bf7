// The simulated clients of one process. They connect at a fixed rate, whether or not earlier
// clients are connected; their replicas and counters are kept here.

import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from './clock.js';
import { Replica } from './replica.js';
import type { Endpoint } from './endpoint.js';
import { Latencies, type EncodedLatencies } from './latencies.js';
import { createReader } from './messages.js';
import type { TableState } from './rows.js';
import {
  SimulatedClient,
  type SimulatedClientContext,
  type ClientIdentity,
} from './simulated-client.js';
import { DeliveryCounters, type CountersReport } from './counters.js';

/** Everything since the last report. */
export interface ClientsReport {
  readonly agents: CountersReport;
  readonly dashboards: CountersReport;
  /** From when a client was due to connect until it had received the state. */
  readonly connects: EncodedLatencies;
  /** From the loss of a socket until the state was received on another. */
  readonly reconnects: EncodedLatencies;
  /** Sockets that the gateway or the network closed, by close code. */
  readonly lostSockets: Readonly<Record<number, number>>;
  /** Upgrades that were rejected, by HTTP status. */
  readonly refusals: Readonly<Record<number, number>>;
  readonly connected: number;
}

export interface ReplicaComparison {
  /** When any client last received a change. */
  readonly lastReceivedUs: number;
  /** How many rows differ from the table, over all replicas. */
  readonly agents: number;
  readonly dashboards: number;
}

/** Below the accept queue of the gateway (`net.core.somaxconn`), even with several processes. */
const HANDSHAKES_AT_ONCE = 500;
/** If nothing arrives for this long, all changes have arrived. */
const QUIET_US = 250e3;
const POLL_MS = 20;

export class Clients {
  readonly agents: SimulatedClient[] = [];
  readonly dashboards: SimulatedClient[] = [];
  readonly #replicas = { agents: [] as Replica[], dashboards: [] as Replica[] };
  readonly #counters = { agents: new DeliveryCounters(), dashboards: new DeliveryCounters() };
  readonly #connects = new Latencies();
  readonly #reconnects = new Latencies();
  #lostSockets: Record<number, number> = {};
  #refusals: Record<number, number> = {};
  readonly #context: SimulatedClientContext;

  constructor(endpoint: Endpoint) {
    this.#context = {
      endpoint,
      read: createReader(),
      slot: createSlots(HANDSHAKES_AT_ONCE),
      connected: (tookUs, again) => (again ? this.#reconnects : this.#connects).record(tookUs),
      lost: (code) => count(this.#lostSockets, code),
      rejected: (status) => count(this.#refusals, status),
    };
  }

  /** How many clients have received the state on their socket. */
  get connected(): number {
    return this.#all.filter(({ hasState }) => hasState).length;
  }

  get #all(): readonly SimulatedClient[] {
    return [...this.agents, ...this.dashboards];
  }

  get #allReplicas(): readonly Replica[] {
    return [...this.#replicas.agents, ...this.#replicas.dashboards];
  }

  /** Creates a replica of one row, as an agent has it. */
  watchRow(row: number): Replica {
    const replica = new Replica(row, 1, this.#counters.agents);
    this.#replicas.agents.push(replica);
    return replica;
  }

  /** Creates a replica of all rows, as a dashboard has it. */
  watchRows(rows: number): Replica {
    const replica = new Replica(0, rows, this.#counters.dashboards);
    this.#replicas.dashboards.push(replica);
    return replica;
  }

  addAgent(row: number, identity: ClientIdentity): void {
    this.agents.push(new SimulatedClient(this.#context, identity, this.watchRow(row)));
  }

  addDashboard(rows: number, identity: ClientIdentity): void {
    this.dashboards.push(new SimulatedClient(this.#context, identity, this.watchRows(rows)));
  }

  /**
   * Connects dashboards first: they are few, and see the agents come. Resolves when the last client
   * has begun to connect.
   */
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

  /** Counts changes from now on. */
  record(): void {
    this.#counters.agents.record(nowUs());
    this.#counters.dashboards.record(nowUs());
  }

  take(): ClientsReport {
    const { agents, dashboards } = this.#counters;
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

  /** Resolves when nothing has arrived for a while, or after the deadline. */
  async quiet(deadlineMs: number): Promise<void> {
    const fromUs = nowUs();
    const untilUs = fromUs + deadlineMs * 1e3;
    while (nowUs() < Math.min(Math.max(fromUs, this.#lastReceivedUs()) + QUIET_US, untilUs)) {
      await sleep(POLL_MS);
    }
  }

  /** Compares all replicas with the table; see `Replica.countDifferences`. */
  compare(table: TableState, sinceVersion: number): ReplicaComparison {
    const sum = (replicas: readonly Replica[]): number =>
      replicas.reduce((total, replica) => total + replica.countDifferences(table, sinceVersion), 0);
    const { agents, dashboards } = this.#replicas;
    return {
      lastReceivedUs: this.#lastReceivedUs(),
      agents: sum(agents),
      dashboards: sum(dashboards),
    };
  }

  /** Drops every connection; all clients reconnect at once. */
  drop(): void {
    for (const client of this.#all) client.drop();
  }

  stall(dashboards: number): void {
    for (const client of this.dashboards.slice(0, dashboards)) client.stall();
  }

  resume(): void {
    for (const client of this.dashboards) client.resume();
  }

  /** Drops every connection; no client reconnects until `connect` is called. */
  leave(): void {
    for (const client of this.#all) client.leave();
  }

  #lastReceivedUs(): number {
    return this.#allReplicas.reduce(
      (latest, { lastReceivedUs }) => Math.max(latest, lastReceivedUs),
      0,
    );
  }
}

/** Allows `max` slots to be acquired at a time, first come, first served. */
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
