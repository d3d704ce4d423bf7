// How a load test goes, while it goes: one line that is written anew every second where a person looks, else a line now
// and then.

import { progressText } from './report-text.js';
import type { Sample } from './result.js';

/** Of a log, in samples. */
const EVERY = 5;
const CLEAR_LINE = '\r\u001b[2K';

/** A terminal, or what stands for one. */
interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Progress {
  #shown = 0;

  constructor(private readonly output: Output) {}

  show(sample: Sample): void {
    const line = progressText(sample);
    if (this.output.isTTY === true) {
      this.output.write(CLEAR_LINE + line.slice(0, (this.output.columns ?? 80) - 1));
    } else if (this.#shown++ % EVERY === 0) {
      this.output.write(`${line}\n`);
    }
  }

  /** What comes next begins a line of its own. */
  end(): void {
    if (this.output.isTTY === true) this.output.write(CLEAR_LINE);
  }
}
