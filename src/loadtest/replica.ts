// A client's replica of the rows that it watches: the last version of each. Each change is checked
// for its order when it arrives. The whole replica is compared with the table at the end.

import type { TableState } from './rows.js';
import type { DeliveryCounters } from './counters.js';

/** A change of one row. */
export interface RowChange {
  readonly row: number;
  readonly version: number;
  readonly sentUs: number;
}

export class Replica {
  readonly #versions: Float64Array;
  readonly #sentUs: Float64Array;
  #lastReceivedUs = 0;

  /** Watches `count` rows from `firstRow` on. */
  constructor(
    private readonly firstRow: number,
    count: number,
    private readonly counters: DeliveryCounters,
  ) {
    this.#versions = new Float64Array(count);
    this.#sentUs = new Float64Array(count);
  }

  /** When the last change arrived. */
  get lastReceivedUs(): number {
    return this.#lastReceivedUs;
  }

  /** @param isState whether the change is part of a first state, which may repeat known rows. */
  apply({ row, version, sentUs }: RowChange, receivedUs: number, isState: boolean): void {
    const at = row - this.firstRow;
    const known = this.#versions[at];
    if (known === undefined)
      throw new Error(`received row ${row}, which this client does not watch`);
    this.#lastReceivedUs = receivedUs;
    if (version > known) this.counters.countDelivery(sentUs, receivedUs);
    else if (version < known) this.counters.countOutOfOrder();
    else if (!isState) this.counters.countDuplicate();
    this.#versions[at] = version;
    this.#sentUs[at] = sentUs;
  }

  /**
   * Counts the rows that differ from the table. A row that has not changed since `sinceVersion`
   * may be unknown.
   */
  countDifferences(table: TableState, sinceVersion: number): number {
    let count = 0;
    this.#versions.forEach((known, at) => {
      const version = table.versions[this.firstRow + at] ?? 0;
      if (known === 0 && version <= sinceVersion) return;
      if (known !== version || this.#sentUs[at] !== table.sentUs[this.firstRow + at]) count++;
    });
    return count;
  }
}
