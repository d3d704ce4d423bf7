// What a group of clients was told, in numbers: how late, how often, and whether in order.

import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

/** A tally as it travels between processes. */
export interface TallyReport {
  /** Latencies in µs, as a compressed HDR histogram. */
  readonly histogram: string;
  readonly delivered: number;
  readonly repeated: number;
  readonly outOfOrder: number;
}

const HIGHEST_US = 120e6;

export function latencyHistogram(): Histogram {
  return build({
    bitBucketSize: 32,
    numberOfSignificantValueDigits: 3,
    highestTrackableValue: HIGHEST_US,
  });
}

export class Tally {
  #histogram = latencyHistogram();
  #fromUs = Infinity;
  #delivered = 0;
  #repeated = 0;
  #outOfOrder = 0;

  /** Forgets what was delivered, and counts changes that are sent from now on. Disorder is never forgotten. */
  record(fromUs: number): void {
    this.#fromUs = fromUs;
    this.#delivered = 0;
    this.#histogram = latencyHistogram();
  }

  deliver(sentUs: number, receivedUs: number): void {
    if (sentUs < this.#fromUs) return;
    this.#delivered++;
    this.#histogram.recordValue(Math.min(Math.max(0, receivedUs - sentUs), HIGHEST_US));
  }

  repeat(): void {
    this.#repeated++;
  }

  disorder(): void {
    this.#outOfOrder++;
  }

  report(): TallyReport {
    return {
      histogram: encodeIntoCompressedBase64(this.#histogram),
      delivered: this.#delivered,
      repeated: this.#repeated,
      outOfOrder: this.#outOfOrder,
    };
  }
}

/** The reports of several processes, or rounds, as one. */
export function mergeTallies(reports: readonly TallyReport[]): TallyReport {
  const merged = latencyHistogram();
  for (const { histogram } of reports) merged.add(decodeFromCompressedBase64(histogram));
  const sum = (count: (report: TallyReport) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  return {
    histogram: encodeIntoCompressedBase64(merged),
    delivered: sum(({ delivered }) => delivered),
    repeated: sum(({ repeated }) => repeated),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
  };
}
