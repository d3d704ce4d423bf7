// What a group of clients was told, in numbers: how late, how often, and whether in order. Each number counts from when
// it was last taken.

import { Latencies, type EncodedLatencies } from './latencies.js';

/** A tally as it travels between processes. Its latencies are one for each change that was delivered. */
export interface TallyReport {
  readonly latencies: EncodedLatencies;
  readonly delivered: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
}

export class Tally {
  readonly #latencies = new Latencies();
  #fromUs = Infinity;
  #duplicated = 0;
  #outOfOrder = 0;

  /** Counts changes that are sent from now on, and no others. */
  record(fromUs: number): void {
    this.#fromUs = fromUs;
    this.#latencies.take();
  }

  deliver(sentUs: number, receivedUs: number): void {
    if (sentUs >= this.#fromUs) this.#latencies.record(receivedUs - sentUs);
  }

  duplicate(): void {
    this.#duplicated++;
  }

  disorder(): void {
    this.#outOfOrder++;
  }

  take(): TallyReport {
    const report = {
      delivered: this.#latencies.count,
      latencies: this.#latencies.take(),
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
    };
    this.#duplicated = 0;
    this.#outOfOrder = 0;
    return report;
  }
}

/** Reports of several processes, or of one after the other, as one. */
export class TallySum {
  readonly latencies = new Latencies();
  delivered = 0;
  duplicated = 0;
  outOfOrder = 0;

  add({ latencies, delivered, duplicated, outOfOrder }: TallyReport): this {
    this.latencies.add(latencies);
    this.delivered += delivered;
    this.duplicated += duplicated;
    this.outOfOrder += outOfOrder;
    return this;
  }

  /** Adds another sum, whose latencies are taken from it. */
  merge({ latencies, ...sum }: TallySum): this {
    return this.add({ ...sum, latencies: latencies.take() });
  }
}
