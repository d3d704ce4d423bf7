// The virtual users of a load test: simulated clients in as many processes as they need.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientHandlers } from './client-process.js';
import type { ClientsReport, ReplicaComparison } from './clients.js';
import { Remote } from './rpc.js';
import type { TableState } from './rows.js';
import type { Endpoint } from './endpoint.js';
import type { Credentials } from './target.js';

/** How many agents and dashboards there are, and how many rows. */
export interface VirtualUserCounts {
  readonly agents: number;
  readonly dashboards: number;
  readonly rows: number;
}

/** Keeps each process near a system's default limit of open files. */
const SOCKETS_PER_PROCESS = 4_000;
const POLL_MS = 10;

export class VirtualUsers {
  readonly #processes: Remote<ClientHandlers>[];

  /** @param environment of the processes, such as the authorities that they trust */
  constructor(
    private readonly counts: VirtualUserCounts,
    environment: Readonly<Record<string, string>> = {},
  ) {
    const sockets = counts.agents + counts.dashboards;
    const count = Math.max(1, Math.ceil(sockets / SOCKETS_PER_PROCESS));
    const module = new URL('./client-process.js', import.meta.url);
    this.#processes = Array.from({ length: count }, () =>
      Remote.start<ClientHandlers>(module, { env: environment }),
    );
  }

  /** Creates the clients, without sockets. */
  async join(endpoint: Endpoint, credentials: Credentials): Promise<void> {
    const { agents, dashboards, rows } = this.counts;
    await this.#callAll((process, i) =>
      process.call('join', {
        endpoint,
        credentials,
        rows,
        agents: this.#share(agents, i),
        dashboards: this.#share(dashboards, i),
      }),
    );
  }

  /** Resolves when all clients have begun to connect. @param perSecond Infinity for all at once. */
  async connect(perSecond: number): Promise<void> {
    const { agents, dashboards } = this.counts;
    const each = Math.min(perSecond / this.#processes.length, Number.MAX_SAFE_INTEGER);
    const takesMs = (1e3 * (agents + dashboards)) / perSecond;
    await this.#callAll((process) => process.callFor(takesMs, 'connect', { perSecond: each }));
  }

  /** Clients that have not begun to connect will not do so. */
  async stopConnecting(): Promise<void> {
    await this.#callAll((process) => process.call('stopConnecting'));
  }

  /** How many clients have received the state on their socket. */
  async countConnected(): Promise<number> {
    const counts = await this.#callAll((process) => process.call('connected'));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async startRecording(): Promise<void> {
    await this.#callAll((process) => process.call('record'));
  }

  /** Returns the report of each process since the last call. */
  takeReports(): Promise<ClientsReport[]> {
    return this.#callAll((process) => process.call('take'));
  }

  /** Resolves when nothing more arrives, or after the deadline. */
  async waitUntilQuiet(deadlineMs: number): Promise<void> {
    await this.#callAll((process) => process.callFor(deadlineMs, 'quiet', { deadlineMs }));
  }

  async compare(table: TableState, sinceVersion = 0): Promise<ReplicaComparison> {
    const comparisons = await this.#callAll((process) =>
      process.call('compare', { table, sinceVersion }),
    );
    const sum = (of: (comparison: ReplicaComparison) => number): number =>
      comparisons.reduce((total, comparison) => total + of(comparison), 0);
    return {
      lastReceivedUs: Math.max(...comparisons.map(({ lastReceivedUs }) => lastReceivedUs)),
      agents: sum(({ agents }) => agents),
      dashboards: sum(({ dashboards }) => dashboards),
    };
  }

  /** Drops every connection; all clients reconnect at once. */
  async drop(): Promise<void> {
    await this.#callAll((process) => process.call('drop'));
  }

  /** Resolves when all clients are connected. @throws Error after the deadline. */
  async waitUntilConnected(deadlineMs: number): Promise<void> {
    const { agents, dashboards } = this.counts;
    const untilMs = performance.now() + deadlineMs;
    while ((await this.countConnected()) < agents + dashboards) {
      if (performance.now() > untilMs) throw new Error('some clients could not connect in time');
      await sleep(POLL_MS);
    }
  }

  /** Makes this many dashboards stop reading. */
  async stall(dashboards: number): Promise<void> {
    await this.#callAll((process, i) => {
      const [from, to] = this.#share(dashboards, i);
      return process.call('stall', { dashboards: to - from });
    });
  }

  /** Makes all dashboards read again. */
  async resume(): Promise<void> {
    await this.#callAll((process) => process.call('resume'));
  }

  /** Drops every connection; no client reconnects until `connect` is called. */
  async leave(): Promise<void> {
    await this.#callAll((process) => process.call('leave'));
  }

  async stop(): Promise<void> {
    await this.#callAll((process) => process.stop());
  }

  /** Returns a process's share of a total: from the first up to, not including, the second. */
  #share(total: number, process: number): readonly [number, number] {
    const count = this.#processes.length;
    return [Math.floor((total * process) / count), Math.floor((total * (process + 1)) / count)];
  }

  #callAll<T>(act: (process: Remote<ClientHandlers>, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#processes.map(act));
  }
}
