// All clients of one pass, in however many processes they are.

import type { ClientsHandlers } from './clients.js';
import type { Comparison, ObserverReport } from './observer.js';
import { Remote, type StartOptions } from './rpc.js';
import type { TableState } from './rows.js';
import type { Scenario } from './scenarios.js';
import type { Endpoint } from './sockets.js';
import { mergeTallies } from './tally.js';

/** So that no process needs many more open files than a system gives by default. */
const SOCKETS_PER_PROCESS = 4_000;
/** How long a server that has fallen behind is waited for. */
const DEADLINE_MS = 20_000;

export class Crowd {
  readonly #processes: Remote<ClientsHandlers>[];

  constructor(
    path: string,
    private readonly scenario: Scenario,
    options: StartOptions,
  ) {
    const sockets = scenario.agents + scenario.dashboards;
    this.#processes = Array.from({ length: Math.ceil(sockets / SOCKETS_PER_PROCESS) }, () =>
      Remote.start<ClientsHandlers>(path, options),
    );
  }

  /** One bare listener instead of sockets. */
  async listen(): Promise<void> {
    await this.#processes[0]?.call('listen', { rows: this.scenario.rows });
  }

  /** Connects all; resolves with how long it took. */
  async connect(endpoint: Endpoint): Promise<number> {
    const { agents, dashboards, rows } = this.scenario;
    const count = this.#processes.length;
    const share = (of: number, i: number): number => Math.floor((of * i) / count);
    const took = await this.#each((process, i) =>
      process.call('connect', {
        endpoint,
        agents: [share(agents, i), share(agents, i + 1)],
        dashboards: share(dashboards, i + 1) - share(dashboards, i),
        rows,
      }),
    );
    return Math.max(...took.map(({ tookUs }) => tookUs));
  }

  /** Connects and disconnects some, so that the server has run all of its code once. */
  async warmUp(endpoint: Endpoint, agents: number): Promise<void> {
    const { rows } = this.scenario;
    await this.#processes[0]?.call('connect', {
      ...{ endpoint, agents: [0, agents], dashboards: 1, rows },
    });
    await this.#processes[0]?.call('disconnect');
  }

  async record(): Promise<void> {
    await this.#each((process) => process.call('record'));
  }

  /** Resolves when all have been told all there is to tell, or the time is up. */
  async quiet(): Promise<void> {
    await this.#each((process) => process.call('quiet', { deadlineMs: DEADLINE_MS }));
  }

  async compare(table: TableState, sinceVersion: number): Promise<Comparison> {
    const comparisons = await this.#each((process) =>
      process.call('compare', { table, sinceVersion }),
    );
    return {
      toldAtUs: Math.max(...comparisons.map(({ toldAtUs }) => toldAtUs)),
      differences: comparisons.reduce((sum, { differences }) => sum + differences, 0),
    };
  }

  async report(): Promise<ObserverReport> {
    const reports = await this.#each((process) => process.call('report'));
    return {
      agents: mergeTallies(reports.map(({ agents }) => agents)),
      dashboards: mergeTallies(reports.map(({ dashboards }) => dashboards)),
    };
  }

  async stop(): Promise<void> {
    await this.#each((process) => process.stop());
  }

  #each<T>(act: (process: Remote<ClientsHandlers>, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#processes.map(act));
  }
}
