// One client's copy of the rows it watches: what it was told last of each, held against the order of versions as it
// is told, and against the table at the end.

import type { TableState } from './rows.js';
import type { Tally } from './counters.js';

/** What a message says of one row. */
export interface Change {
  readonly row: number;
  readonly version: number;
  readonly sentUs: number;
}

export class Copy {
  readonly #versions: Float64Array;
  readonly #sentUs: Float64Array;
  #toldAtUs = 0;

  /** Watches `count` rows from `firstRow` on. */
  constructor(
    private readonly firstRow: number,
    count: number,
    private readonly tally: Tally,
  ) {
    this.#versions = new Float64Array(count);
    this.#sentUs = new Float64Array(count);
  }

  /** When it was last told of a change. */
  get toldAtUs(): number {
    return this.#toldAtUs;
  }

  /** @param isState the state that a socket is told first, which may repeat what was known. */
  take({ row, version, sentUs }: Change, receivedUs: number, isState: boolean): void {
    const at = row - this.firstRow;
    const held = this.#versions[at];
    if (held === undefined) throw new Error(`told of row ${row}, which it does not watch`);
    this.#toldAtUs = receivedUs;
    if (version > held) this.tally.deliver(sentUs, receivedUs);
    else if (version < held) this.tally.disorder();
    else if (!isState) this.tally.duplicate();
    this.#versions[at] = version;
    this.#sentUs[at] = sentUs;
  }

  /** How many rows are not as in the table. One that did not change since `sinceVersion` need not be known. */
  differences(table: TableState, sinceVersion: number): number {
    let count = 0;
    this.#versions.forEach((held, at) => {
      const version = table.versions[this.firstRow + at] ?? 0;
      if (held === 0 && version <= sinceVersion) return;
      if (held !== version || this.#sentUs[at] !== table.sentUs[this.firstRow + at]) count++;
    });
    return count;
  }
}
