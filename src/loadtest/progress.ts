// The progress of a running load test: on a terminal one line that is replaced every second, in a
// log one line every five seconds.

import { renderProgress } from './report-text.js';
import type { Sample } from './result.js';

/** In a log, one line for this many samples. */
const SAMPLES_PER_LINE = 5;
const CLEAR_LINE = '\r\u001b[2K';

/** The part of a terminal that is needed, for tests. */
interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Progress {
  #shown = 0;

  constructor(private readonly output: Output) {}

  show(sample: Sample): void {
    const line = renderProgress(sample);
    if (this.output.isTTY === true) {
      this.output.write(CLEAR_LINE + line.slice(0, (this.output.columns ?? 80) - 1));
    } else if (this.#shown++ % SAMPLES_PER_LINE === 0) {
      this.output.write(`${line}\n`);
    }
  }

  /** Clears the line, for the output that follows. */
  end(): void {
    if (this.output.isTTY === true) this.output.write(CLEAR_LINE);
  }
}
