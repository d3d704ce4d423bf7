// Counters of what a group of clients received: how late, how often, and whether in order. Taking a
// report resets them.

import { Latencies, type EncodedLatencies } from './latencies.js';

/** The counters as they travel between processes, with one latency for each delivered change. */
export interface CountersReport {
  readonly latencies: EncodedLatencies;
  readonly delivered: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
}

export class DeliveryCounters {
  readonly #latencies = new Latencies();
  #fromUs = Infinity;
  #duplicated = 0;
  #outOfOrder = 0;

  /** Counts only changes that are sent after this time. */
  record(fromUs: number): void {
    this.#fromUs = fromUs;
    this.#latencies.take();
  }

  countDelivery(sentUs: number, receivedUs: number): void {
    if (sentUs >= this.#fromUs) this.#latencies.record(receivedUs - sentUs);
  }

  countDuplicate(): void {
    this.#duplicated++;
  }

  countOutOfOrder(): void {
    this.#outOfOrder++;
  }

  take(): CountersReport {
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

/** The sum of reports from several processes or intervals. */
export class CountersSum {
  readonly latencies = new Latencies();
  delivered = 0;
  duplicated = 0;
  outOfOrder = 0;

  add({ latencies, delivered, duplicated, outOfOrder }: CountersReport): this {
    this.latencies.add(latencies);
    this.delivered += delivered;
    this.duplicated += duplicated;
    this.outOfOrder += outOfOrder;
    return this;
  }

  /** Adds another sum, and empties its latencies. */
  merge({ latencies, ...sum }: CountersSum): this {
    return this.add({ ...sum, latencies: latencies.take() });
  }
}
