// Keeps the list of revoked tokens current: it is read at the start, after each notification, after
// each reconnect of the feed, and every few seconds. A read that fails is repeated, and until it
// succeeds the gateway says that it is not ready.

import { setTimeout as sleep } from 'node:timers/promises';
import { chooseBackoffMs, type Backoff } from '../../time/backoff.js';

export interface RevocationSteps {
  /** Reads the list and puts it in force. */
  readonly read: () => Promise<void>;
  /** Called for the first of several reads that fail. */
  readonly failed: (error: unknown) => void;
  /** Called when a read succeeds again, after so many that failed. */
  readonly recovered: (failures: number) => void;
}

export interface RevocationTiming {
  /** Between two routine reads, in ms. */
  readonly checkIntervalMs: number;
}

/**
 * Between two reads at least: any role that may connect to the database can send notifications.
 */
const MIN_GAP_MS = 100;
/** Between two reads that fail: gateways that failed together do not return together. */
const RETRY: Backoff = { baseMs: 1_000, capMs: 30_000 };

export class RevocationReader {
  readonly #stopped = new AbortController();
  #waiting = new AbortController();
  #isStale = true;
  #state: 'unread' | 'read' | 'failing' = 'unread';
  /** The reads that failed since the last one that succeeded. */
  #failures = 0;
  #readAtMs = performance.now();
  #running: Promise<void> | undefined;

  constructor(
    private readonly steps: RevocationSteps,
    private readonly timing: RevocationTiming,
    private readonly random: () => number = Math.random,
  ) {}

  /** How old the list is, in ms; before the first read, how long the gateway has been without. */
  get ageMs(): number {
    return performance.now() - this.#readAtMs;
  }

  /** Why the list may be out of date, in words for an operator; undefined after a read. */
  get problem(): string | undefined {
    if (this.#state === 'read') return undefined;
    if (this.#state === 'unread') return 'The list of revoked tokens is being read.';
    return (
      'The list of revoked tokens cannot be read. If the log says that permission is denied: ' +
      'GRANT SELECT, INSERT, UPDATE, DELETE ON vm_token_revocations TO this role.'
    );
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The list may have changed. */
  invalidate(): void {
    this.#isStale = true;
    this.#waiting.abort();
  }

  /** Resolves when no read runs any longer, or is waited for. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#waiting.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#isStale = false;
      await this.#read();
      await sleep(MIN_GAP_MS, undefined, { signal }).catch(() => undefined);
      await this.#waitUntilStale();
    }
  }

  async #read(): Promise<void> {
    try {
      // As old as the database was when it was asked.
      const askedAtMs = performance.now();
      await this.steps.read();
      this.#readAtMs = askedAtMs;
      if (this.#failures > 0) this.steps.recovered(this.#failures);
      this.#failures = 0;
      this.#state = 'read';
    } catch (error) {
      if (this.#state !== 'failing' && !this.#stopped.signal.aborted) this.steps.failed(error);
      this.#failures++;
      this.#state = 'failing';
    }
  }

  async #waitUntilStale(): Promise<void> {
    this.#waiting = new AbortController();
    if (this.#isStale || this.#stopped.signal.aborted) return;
    const { signal } = this.#waiting;
    const { checkIntervalMs } = this.timing;
    const pauseMs =
      this.#state === 'read'
        ? checkIntervalMs
        : chooseBackoffMs(RETRY, this.#failures - 1, this.random());
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
