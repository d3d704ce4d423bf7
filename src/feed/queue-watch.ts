// Watches how full the server's queue of notifications is. One that fills is held up by a session that listens and takes
// nothing, here or in any other database of the server; when it is full, every commit that notifies fails.

/** PostgreSQL's queue holds 8 GB where nobody has limited it, and PostgreSQL itself warns at half. */
export const QUEUE_WARNING_RATIO = 0.1;

/** Between two warnings while it stays so. */
const REPEAT_MS = 60_000;

export interface QueueEvents<Suspect> {
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

export class QueueWatch<Suspect> {
  #warnedMs: number | undefined;

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
    if (ratio < this.warningRatio) {
      if (this.#warnedMs !== undefined) this.events.relieved();
      this.#warnedMs = undefined;
      return;
    }
    const nowMs = this.clock();
    if (this.#warnedMs !== undefined && nowMs - this.#warnedMs < REPEAT_MS) return;
    this.#warnedMs = nowMs;
    this.events
      .suspects()
      .then((suspects) => this.events.filling(ratio, suspects))
      .catch(this.events.failed);
  }
}
