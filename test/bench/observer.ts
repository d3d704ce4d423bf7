// Everyone a process watches with: their copies of the table, and what they were told.

import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from './clock.js';
import { Copy } from './copy.js';
import type { TableState } from './rows.js';
import { Tally, type TallyReport } from './tally.js';

export interface ObserverReport {
  readonly agents: TallyReport;
  readonly dashboards: TallyReport;
}

export interface Comparison {
  /** When the last of them was told of a change. */
  readonly toldAtUs: number;
  /** How many rows, of all copies, are not as in the table. */
  readonly differences: number;
}

/** Whom nothing reaches for so long has been told all there was to tell. */
const QUIET_US = 250e3;
const POLL_MS = 20;

export class Observer {
  readonly #agents = new Tally();
  readonly #dashboards = new Tally();
  readonly #copies: Copy[] = [];

  /** A copy of one row. */
  agent(row: number): Copy {
    return this.#keep(new Copy(row, 1, this.#agents));
  }

  /** A copy of all rows. */
  dashboard(rows: number): Copy {
    return this.#keep(new Copy(0, rows, this.#dashboards));
  }

  /** From now on, count. */
  record(): void {
    this.#agents.record(nowUs());
    this.#dashboards.record(nowUs());
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
  compare(options: { table: TableState; sinceVersion: number }): Comparison {
    const { table, sinceVersion } = options;
    let differences = 0;
    for (const copy of this.#copies) differences += copy.differences(table, sinceVersion);
    return { toldAtUs: this.#toldAtUs(), differences };
  }

  report(): ObserverReport {
    return { agents: this.#agents.report(), dashboards: this.#dashboards.report() };
  }

  #keep(copy: Copy): Copy {
    this.#copies.push(copy);
    return copy;
  }

  #toldAtUs(): number {
    return this.#copies.reduce((latest, { toldAtUs }) => Math.max(latest, toldAtUs), 0);
  }
}
