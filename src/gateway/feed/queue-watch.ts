// Watches how full the server's queue of notifications is. One that fills is held up by a session that listens and takes
// nothing, here or in any other database of the server; when it is full, every commit that notifies fails.

/** PostgreSQL's queue holds 8 GB where nobody has limited it, and PostgreSQL itself warns at half. */
export const QUEUE_WARNING_RATIO = 0.1;

/** Between two warnings that name the same sessions. */
const REPEAT_MS = 60_000;

/** A session that may hold the queue up. */
interface Named {
  readonly pid: number;
}

export interface QueueEvents<Suspect extends Named> {
  /** Asks the server how full the queue is, from 0 to 1. */
  readonly usage: () => Promise<number>;
  /** Who may hold the queue up. */
  readonly suspects: () => Promise<readonly Suspect[]>;
  /** Told every time. */
  readonly usageSeen: (ratio: number) => void;
  readonly filling: (ratio: number, suspects: readonly Suspect[]) => void;
  /** It was filling, and no longer is. */
  readonly relieved: () => void;
  readonly failed: (error: unknown) => void;
}

export class QueueWatch<Suspect extends Named> {
  #filling = false;
  #warnedMs = -Infinity;
  /** Those of the last warning. */
  #named: ReadonlySet<number> = new Set();

  /** @param warningRatio from 0 to 1. */
  constructor(
    private readonly warningRatio: number,
    private readonly events: QueueEvents<Suspect>,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** To be called when a commit found the queue full: to ask is what may empty it, and nobody else does in a gap. */
  look(): void {
    this.events
      .usage()
      .then((ratio) => this.seen(ratio))
      .catch(this.events.failed);
  }

  /** The queue was seen to be so full, from 0 to 1. */
  seen(ratio: number): void {
    this.events.usageSeen(ratio);
    const wasFilling = this.#filling;
    this.#filling = ratio >= this.warningRatio;
    if (this.#filling) this.#warn(ratio).catch(this.events.failed);
    else if (wasFilling) this.#relieve();
  }

  /** Again when a minute is over, and at once when there is somebody to name who was not named. */
  async #warn(ratio: number): Promise<void> {
    const suspects = await this.events.suspects();
    const isNews = suspects.some(({ pid }) => !this.#named.has(pid));
    if (!isNews && this.clock() - this.#warnedMs < REPEAT_MS) return;
    this.#warnedMs = this.clock();
    this.#named = new Set(suspects.map(({ pid }) => pid));
    this.events.filling(ratio, suspects);
  }

  #relieve(): void {
    this.#warnedMs = -Infinity;
    this.#named = new Set();
    this.events.relieved();
  }
}
