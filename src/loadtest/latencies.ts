// Latencies as HDR histograms in microseconds: client processes record them, the load test merges
// them.

import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

/** A longer latency counts as this one. */
const HIGHEST_US = 120e6;

/** A histogram as text, for another process. */
export type EncodedLatencies = string;

/** A distribution in milliseconds. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class Latencies {
  readonly #histogram: Histogram;

  constructor() {
    this.#histogram = build({
      bitBucketSize: 32,
      numberOfSignificantValueDigits: 3,
      highestTrackableValue: HIGHEST_US,
    });
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  record(us: number): void {
    this.#histogram.recordValue(Math.min(Math.max(0, us), HIGHEST_US));
  }

  add(encoded: EncodedLatencies): void {
    // An empty histogram is encoded as an empty text.
    if (encoded !== '') this.#histogram.add(decodeFromCompressedBase64(encoded));
  }

  /** Returns everything recorded since the last call, and resets the histogram. */
  take(): EncodedLatencies {
    if (this.count === 0) return '';
    const encoded = encodeIntoCompressedBase64(this.#histogram);
    this.#histogram.reset();
    return encoded;
  }

  percentiles(): Percentiles {
    return {
      count: this.count,
      p50: this.#ms(50),
      p90: this.#ms(90),
      p99: this.#ms(99),
      p999: this.#ms(99.9),
      max: this.#histogram.maxValue / 1e3,
    };
  }

  #ms(percentile: number): number {
    return this.#histogram.getValueAtPercentile(percentile) / 1e3;
  }
}

export function mergeLatencies(all: readonly EncodedLatencies[]): Latencies {
  const merged = new Latencies();
  for (const encoded of all) merged.add(encoded);
  return merged;
}
