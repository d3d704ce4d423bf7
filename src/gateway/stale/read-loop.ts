// Reads stale data again: one read after the other, until nothing is stale. A read that fails is
// repeated after a pause, and never ends the loop.

import { setTimeout as sleep } from 'node:timers/promises';
import { chooseBackoffMs } from '../../time/backoff.js';
import type { ReadRequest } from './stale-hostnames.js';

export interface ReadLoopSteps<Result> {
  /** Decides what to read next; returns undefined if nothing is to be read. */
  readonly begin: () => ReadRequest | undefined;
  /** @param signal aborted when the result is no longer wanted. */
  readonly read: (request: ReadRequest, signal: AbortSignal) => Promise<Result>;
  readonly finish: (request: ReadRequest, result: Result) => void;
  /** The read failed, or its result could not be applied: what it asked for is stale again. */
  readonly abandon: (request: ReadRequest) => void;
  readonly failed: (error: unknown) => void;
  /** Nothing is left to read. */
  readonly done?: () => void;
}

export interface ReadLoopSettings {
  /** Pause after a read, so that what becomes stale meanwhile is read together. */
  readonly gapMs: number;
  /** The shortest pause after a read that failed; it grows with jitter, up to 5 s. */
  readonly retryMs: number;
}

const MAX_RETRY_MS = 5_000;

export class ReadLoop<Result> {
  /** The run under way; an aborted run is no longer it. */
  #run: AbortController | undefined;
  /** How many reads failed in a row. */
  #failures = 0;

  constructor(
    private readonly steps: ReadLoopSteps<Result>,
    private readonly settings: ReadLoopSettings,
  ) {}

  /** Begins to read at once, unless a run is under way. */
  start(): void {
    if (this.#run !== undefined) return;
    const run = new AbortController();
    this.#run = run;
    this.#readUntilCurrent(run).catch((error: unknown) => {
      this.#end(run);
      this.steps.failed(error);
    });
  }

  /** Abandons the run under way: whatever its read returns is ignored. */
  abort(): void {
    this.#run?.abort();
    this.#run = undefined;
  }

  async #readUntilCurrent(run: AbortController): Promise<void> {
    const { signal } = run;
    for (;;) {
      const request = this.steps.begin();
      if (request === undefined) break;
      const pauseMs = await this.#readOnce(request, signal);
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
    this.#end(run);
    this.steps.done?.();
  }

  /** @returns how long to pause before the next read. */
  async #readOnce(request: ReadRequest, signal: AbortSignal): Promise<number> {
    try {
      const result = await this.steps.read(request, signal);
      if (!signal.aborted) this.steps.finish(request, result);
      this.#failures = 0;
      return this.settings.gapMs;
    } catch (error) {
      if (signal.aborted) return 0;
      this.steps.abandon(request);
      this.steps.failed(error);
      return this.#chooseRetryMs();
    }
  }

  #chooseRetryMs(): number {
    const { retryMs } = this.settings;
    const backoff = { baseMs: retryMs, capMs: MAX_RETRY_MS };
    return retryMs + chooseBackoffMs(backoff, this.#failures++, Math.random());
  }

  #end(run: AbortController): void {
    if (this.#run === run) this.#run = undefined;
  }
}
