// This gateway among the others: it holds a lease in the database, writes which agents it has in batches, and notices
// when another's lease has ended. One statement at a time, in one loop; a socket only leaves its word in the roster.
//
// A lease that was lost, because the database or this process stood still for too long, never comes back: the gateway
// enters anew, under another name, and writes all its agents again. So whatever was on its way under the old name
// counts for nothing.

import type { Batch, Roster } from './pending-writes.js';

/** What a gateway is told when it enters, and whenever it renews its lease. */
export interface Standing {
  /** All gateways whose lease lasts, this one among them. */
  readonly gateways: readonly string[];
  /** When the first of the other leases ends, unless it is renewed. */
  readonly nextExpiryMs: number | undefined;
}

/** What a membership asks of the database. Each may reject. */
export interface MembershipDatabase {
  readonly enter: (instance: string, leaseMs: number) => Promise<Standing>;
  /** @returns undefined when the lease is lost. `complete`: all that was seen until now is written. */
  readonly renew: (
    instance: string,
    leaseMs: number,
    complete: boolean,
  ) => Promise<Standing | undefined>;
  /** @returns false when the lease is lost. */
  readonly write: (instance: string, batch: Batch, nowMs: number) => Promise<boolean>;
  readonly leave: (instance: string) => Promise<void>;
}

export interface MembershipEvents {
  /** Another gateway is no more, or this one has another name: whatever is known of agents must be read again. */
  readonly gatewaysChanged: () => void;
  /** The lease was lost. */
  readonly lost: () => void;
  /** A batch is written. */
  readonly written: (batch: Batch) => void;
  /** The lease was renewed: time for what is done now and then. Must not reject. */
  readonly renewed: () => Promise<void>;
  readonly failed: (error: unknown) => void;
}

export interface MembershipSettings {
  /** How long a gateway counts without a sign of life; it gives one three times as often. */
  readonly leaseMs: number;
  /** Between the first arrival, departure or report that waits to be written and the write. */
  readonly writeGapMs: number;
  /** The same for pushes that are not acknowledged meanwhile: they are many, and tell nobody anything that is urgent. */
  readonly pushWriteGapMs: number;
}

/** Between something that failed and the next try. */
const RETRY_MS = 1_000;
/** A lease ends by another clock, some of whose time the answer took. */
const EXPIRY_SLACK_MS = 20;

export class Membership {
  /** The name the lease is held under; undefined without one. */
  #instance: string | undefined;
  #entered = 0;
  #gateways: readonly string[] = [];
  /** When the last renewal was answered; undefined when it was not. */
  #renewedMs: number | undefined;
  #renewAtMs = 0;
  #leaving = false;
  #stopped = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Ends the pause between two turns; undefined during one. */
  #wake: (() => void) | undefined;
  #wakeAtMs = 0;
  /** A turn failed; the pause after it is not cut short. */
  #failed = false;

  /** @param gateway names the process; each lease adds a number to it */
  constructor(
    private readonly gateway: string,
    private readonly roster: Roster,
    private readonly database: MembershipDatabase,
    private readonly events: MembershipEvents,
    private readonly settings: MembershipSettings,
  ) {}

  /** The gateway is ready to see agents; nothing is written before. */
  start(): void {
    if (!this.#stopped) this.#running ??= this.#run();
  }

  /** Something waits in the roster. */
  changed(): void {
    if (this.#wake !== undefined && !this.#failed) this.#wakeBy(this.#dueMs());
  }

  /** From now on newcomers may be refused: nobody may conclude from it that an agent is away. */
  beginToLeave(): void {
    this.#leaving = true;
  }

  get leaving(): boolean {
    return this.#leaving;
  }

  /** Writes what is left and gives up the lease, if the database lets it. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
    const instance = this.#instance;
    this.#instance = undefined;
    try {
      if (instance === undefined || !(await this.#writeAll(instance))) return;
      await this.database.leave(instance);
    } catch (error) {
      this.events.failed(error);
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped()) {
      this.#failed = false;
      try {
        await this.#turn();
      } catch (error) {
        this.#failed = true;
        this.events.failed(error);
      }
      if (!this.#isStopped()) await this.#pause();
    }
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  async #turn(): Promise<void> {
    const instance = (this.#instance ??= await this.#enter());
    const counts = await this.#writeAll(instance);
    if (counts && performance.now() >= this.#renewAtMs) await this.#renew(instance);
  }

  async #enter(): Promise<string> {
    const instance = `${this.gateway}-${++this.#entered}`;
    this.#take(await this.database.enter(instance, this.settings.leaseMs));
    this.roster.forgetWritten();
    return instance;
  }

  /**
   * Writes what waits; what comes meanwhile waits for the next gap, or thousands of arrivals would be as many writes.
   * @returns false when the lease is lost.
   */
  async #writeAll(instance: string): Promise<boolean> {
    for (let full = !this.roster.written; full;) {
      const batch = this.roster.take();
      full = batch.full;
      let counts = false;
      try {
        counts = await this.database.write(instance, batch, performance.now());
      } finally {
        if (!counts) this.roster.giveBack(batch);
      }
      if (!counts) {
        this.#lose();
        return false;
      }
      this.events.written(batch);
    }
    return true;
  }

  /**
   * Complete is what was seen until the last renewal: its time by the database's clock is before its answer came here.
   */
  async #renew(instance: string): Promise<void> {
    const complete =
      !this.#leaving &&
      this.#renewedMs !== undefined &&
      this.roster.isWrittenUntil(this.#renewedMs);
    this.#renewedMs = undefined;
    const standing = await this.database.renew(instance, this.settings.leaseMs, complete);
    if (standing === undefined) {
      this.#lose();
      return;
    }
    this.#take(standing);
    await this.events.renewed();
  }

  #lose(): void {
    this.#instance = undefined;
    this.#renewedMs = undefined;
    this.events.lost();
  }

  #take({ gateways, nextExpiryMs }: Standing): void {
    this.#renewedMs = performance.now();
    const untilExpiryMs = (nextExpiryMs ?? Infinity) + EXPIRY_SLACK_MS;
    this.#renewAtMs = this.#renewedMs + Math.min(this.settings.leaseMs / 3, untilExpiryMs);
    const left = this.#gateways.some((gateway) => !gateways.includes(gateway));
    this.#gateways = gateways;
    if (left) this.events.gatewaysChanged();
  }

  /** Until the next renewal, or until what waits to be written has waited for its gap. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(this.#timer);
        resolve();
      };
      this.#wakeAtMs = Infinity;
      if (this.#failed) this.#wakeBy(performance.now() + RETRY_MS);
      else if (this.#instance === undefined) this.#wakeBy(performance.now());
      else this.#wakeBy(Math.min(this.#renewAtMs, this.#dueMs()));
    });
  }

  /** When what waits from now on is to be written. */
  #dueMs(): number {
    const { urgent, written } = this.roster;
    const { writeGapMs, pushWriteGapMs } = this.settings;
    if (urgent) return performance.now() + writeGapMs;
    return written ? Infinity : performance.now() + pushWriteGapMs;
  }

  /** Never later than was agreed before. */
  #wakeBy(atMs: number): void {
    if (atMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake?.(), Math.max(0, atMs - performance.now()));
  }
}
