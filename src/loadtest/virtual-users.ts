// All simulated clients of a load test, in however many processes they are.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientHandlers } from './client-process.js';
import type { ClientsReport, Comparison } from './clients.js';
import { Remote } from './rpc.js';
import type { TableState } from './rows.js';
import type { Endpoint } from './endpoint.js';
import type { Credentials } from './target.js';

/** Who watches, and how many rows there are. */
export interface Audience {
  readonly agents: number;
  readonly dashboards: number;
  readonly rows: number;
}

/** So that no process needs many more open files than a system gives by default. */
const SOCKETS_PER_PROCESS = 4_000;
const POLL_MS = 10;

export class Crowd {
  readonly #processes: Remote<ClientHandlers>[];

  constructor(private readonly audience: Audience) {
    const sockets = audience.agents + audience.dashboards;
    const count = Math.max(1, Math.ceil(sockets / SOCKETS_PER_PROCESS));
    const module = new URL('./client-process.js', import.meta.url);
    this.#processes = Array.from({ length: count }, () => Remote.start<ClientHandlers>(module));
  }

  /** Makes the clients, as yet without sockets. */
  async join(endpoint: Endpoint, credentials: Credentials): Promise<void> {
    const { agents, dashboards, rows } = this.audience;
    await this.#each((process, i) =>
      process.call('join', {
        ...{ endpoint, credentials, rows },
        agents: this.#share(agents, i),
        dashboards: this.#share(dashboards, i),
      }),
    );
  }

  /** Resolves when all have begun to connect; Infinity: at once, as far as handshakes go. */
  async connect(perSecond: number): Promise<void> {
    const { agents, dashboards } = this.audience;
    const each = Math.min(perSecond / this.#processes.length, Number.MAX_SAFE_INTEGER);
    const takesMs = (1e3 * (agents + dashboards)) / perSecond;
    await this.#each((process) => process.callFor(takesMs, 'connect', { perSecond: each }));
  }

  /** Those that have not begun to connect no longer do. */
  async stopConnecting(): Promise<void> {
    await this.#each((process) => process.call('stopConnecting'));
  }

  /** How many have a socket over which the state was told. */
  async connected(): Promise<number> {
    const counts = await this.#each((process) => process.call('connected'));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async record(): Promise<void> {
    await this.#each((process) => process.call('record'));
  }

  /** What happened since it was last asked, in each process. */
  take(): Promise<ClientsReport[]> {
    return this.#each((process) => process.call('take'));
  }

  /** Resolves when all have been told all there is to tell, or the time is up. */
  async quiet(deadlineMs: number): Promise<void> {
    await this.#each((process) => process.callFor(deadlineMs, 'quiet', { deadlineMs }));
  }

  async compare(table: TableState, sinceVersion = 0): Promise<Comparison> {
    const comparisons = await this.#each((process) =>
      process.call('compare', { table, sinceVersion }),
    );
    const sum = (of: (comparison: Comparison) => number): number =>
      comparisons.reduce((total, comparison) => total + of(comparison), 0);
    return {
      toldAtUs: Math.max(...comparisons.map(({ toldAtUs }) => toldAtUs)),
      agents: sum(({ agents }) => agents),
      dashboards: sum(({ dashboards }) => dashboards),
    };
  }

  /** Cuts every connection; all come back at once. */
  async drop(): Promise<void> {
    await this.#each((process) => process.call('drop'));
  }

  /** Resolves when all have a socket over which the state was told. @throws when they have not in time */
  async allConnected(deadlineMs: number): Promise<void> {
    const { agents, dashboards } = this.audience;
    const untilMs = performance.now() + deadlineMs;
    while ((await this.connected()) < agents + dashboards) {
      if (performance.now() > untilMs) throw new Error('not all clients could connect');
      await sleep(POLL_MS);
    }
  }

  /** Has so many dashboards read nothing. */
  async stall(dashboards: number): Promise<void> {
    await this.#each((process, i) => {
      const [from, to] = this.#share(dashboards, i);
      return process.call('stall', { dashboards: to - from });
    });
  }

  /** Has all dashboards read again. */
  async resume(): Promise<void> {
    await this.#each((process) => process.call('resume'));
  }

  /** Cuts every connection; all stay away until they are told to connect. */
  async leave(): Promise<void> {
    await this.#each((process) => process.call('leave'));
  }

  async stop(): Promise<void> {
    await this.#each((process) => process.stop());
  }

  /** What of so many is one process's: from the first up to, and without, the second. */
  #share(of: number, process: number): readonly [number, number] {
    const count = this.#processes.length;
    return [Math.floor((of * process) / count), Math.floor((of * (process + 1)) / count)];
  }

  #each<T>(act: (process: Remote<ClientHandlers>, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#processes.map(act));
  }
}
