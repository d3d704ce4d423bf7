// Watches how full the server's queue of notifications is. The queue fills if a listening session,
// in any database of the server, does not read. When it is full, every notifying commit fails.

/** PostgreSQL's queue holds 8 GB by default, and PostgreSQL itself warns at half. */
export const QUEUE_WARNING_RATIO = 0.1;

/** Pause between two warnings that name the same sessions. */
const REPEAT_MS = 60_000;

/** A session that may hold the queue up. */
interface Session {
  readonly pid: number;
}

export interface QueueWatchEvents<Suspect extends Session> {
  /** Reads how full the queue is, from 0 to 1. */
  readonly readUsage: () => Promise<number>;
  /** Reads the sessions that may hold the queue up. */
  readonly readSuspects: () => Promise<readonly Suspect[]>;
  /** Called at every look with how full the queue is, from 0 to 1. */
  readonly usageObserved: (ratio: number) => void;
  /** A warning is due. */
  readonly filling: (ratio: number, suspects: readonly Suspect[]) => void;
  /** The queue was filling, and no longer is. */
  readonly drained: () => void;
  readonly failed: (error: unknown) => void;
}

export class QueueWatch<Suspect extends Session> {
  #filling = false;
  #warnedMs = -Infinity;
  /** The sessions that the last warning named, by pid. */
  #named: ReadonlySet<number> = new Set();

  /** @param warningRatio how full the queue may be before a warning, from 0 to 1 */
  constructor(
    private readonly warningRatio: number,
    private readonly events: QueueWatchEvents<Suspect>,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /**
   * Reads how full the queue is. To be called when a commit found it full: only this query, or a
   * notifying commit, makes the server drop what all sessions have read.
   */
  check(): void {
    this.events
      .readUsage()
      .then((ratio) => this.observe(ratio))
      .catch(this.events.failed);
  }

  /** Takes in how full the queue is, from 0 to 1. */
  observe(ratio: number): void {
    this.events.usageObserved(ratio);
    const wasFilling = this.#filling;
    this.#filling = ratio >= this.warningRatio;
    if (this.#filling) this.#warn(ratio).catch(this.events.failed);
    else if (wasFilling) this.#reset();
  }

  /** Warns again after a minute, and at once if a session was not named before. */
  async #warn(ratio: number): Promise<void> {
    const suspects = await this.events.readSuspects();
    const isNew = suspects.some(({ pid }) => !this.#named.has(pid));
    if (!isNew && this.clock() - this.#warnedMs < REPEAT_MS) return;
    this.#warnedMs = this.clock();
    this.#named = new Set(suspects.map(({ pid }) => pid));
    this.events.filling(ratio, suspects);
  }

  #reset(): void {
    this.#warnedMs = -Infinity;
    this.#named = new Set();
    this.events.drained();
  }
}
