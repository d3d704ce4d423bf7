// This gateway's lease in the database: acquired, renewed, and released at the end. Pending writes
// are written under the lease, in batches, and the end of another gateway's lease is detected. A
// single loop runs one statement at a time; connecting agents only add to the pending writes.
//
// A lease that was lost, because the database or this process stood still for too long, never comes
// back: the gateway acquires another one, under another name, and writes all its agents again. So a
// late write under the old name has no effect.

import { chooseBackoffMs, type Backoff } from '../../time/backoff.js';
import type { GatewayLeases } from '../database/presence.js';
import type { PendingWrites, WriteBatch } from './pending-writes.js';

/** The queries of a lease. Each may reject. */
export interface LeaseDatabase {
  readonly acquire: (instance: string, leaseMs: number) => Promise<GatewayLeases>;
  /**
   * @param advanceWatermark all that this gateway saw until its last renewal is written.
   * @returns undefined if the lease is lost.
   */
  readonly renew: (
    instance: string,
    leaseMs: number,
    advanceWatermark: boolean,
  ) => Promise<GatewayLeases | undefined>;
  /**
   * @param rejected called with each hostname that the database cannot store; the others are
   *   written.
   * @returns false if the lease is lost.
   */
  readonly write: (
    instance: string,
    batch: WriteBatch,
    nowMs: number,
    rejected: (hostname: string, error: unknown) => void,
  ) => Promise<boolean>;
  readonly release: (instance: string) => Promise<void>;
}

export interface LeaseEvents {
  /** Another gateway's lease ended, or this one has a new name: all presence must be read again. */
  readonly gatewaysChanged: () => void;
  /** The lease was lost. */
  readonly lost: () => void;
  /** A batch is written. */
  readonly written: (batch: WriteBatch) => void;
  /** The lease was renewed: time for periodic work. Must not reject. */
  readonly renewed: () => Promise<void>;
  /** A statement failed; it is tried again. */
  readonly failed: (error: unknown) => void;
  /** The database cannot store this hostname; called once until it can. */
  readonly setAside: (hostname: string, error: unknown) => void;
}

export interface LeaseSettings {
  /** How long a lease lasts; it is renewed three times as often. */
  readonly leaseMs: number;
  /** Time from the first pending connect, disconnect or report to the write. */
  readonly writeGapMs: number;
  /** The same for pushes without an acknowledgement: they are many, and not urgent. */
  readonly pushWriteGapMs: number;
}

/** The shortest pause between a failure and the next try; with jitter it grows to 5 s. */
const RETRY_MS = 500;
const RETRY: Backoff = { baseMs: 1_000, capMs: 4_500 };
/** A lease ends by the database's clock, and the answer took some time. */
const EXPIRY_SLACK_MS = 20;

export class Lease {
  /** The name that the lease is held under; undefined without a lease. */
  #instance: string | undefined;
  #acquired = 0;
  #gateways: readonly string[] = [];
  /** When the last renewal was answered; undefined if it was not. */
  #renewedMs: number | undefined;
  #renewAtMs = 0;
  #draining = false;
  #stopped = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Ends the pause between two turns; undefined during a turn. */
  #wake: (() => void) | undefined;
  #wakeAtMs = 0;
  /** The last turn failed: the pause after it is not cut short. */
  #failed = false;
  /** How many turns failed in a row. */
  #failures = 0;

  /** @param gateway names the process; each lease appends a number. */
  constructor(
    private readonly gateway: string,
    private readonly pending: PendingWrites,
    private readonly database: LeaseDatabase,
    private readonly events: LeaseEvents,
    private readonly settings: LeaseSettings,
  ) {}

  /** Acquires the lease and begins to write; the gateway must be ready for agents. */
  start(): void {
    if (!this.#stopped) this.#running ??= this.#run();
  }

  /** The pending writes have grown: write them when their gap is over. */
  writeSoon(): void {
    if (this.#wake !== undefined && !this.#failed) this.#wakeBy(this.#nextWriteMs());
  }

  /** From now on agents may be rejected here, so their absence proves nothing. */
  beginDrain(): void {
    this.#draining = true;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Writes what is pending and releases the lease, if the database answers. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
    const instance = this.#instance;
    this.#instance = undefined;
    try {
      if (instance === undefined || !(await this.#writeAll(instance))) return;
      await this.database.release(instance);
    } catch (error) {
      this.events.failed(error);
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped()) {
      this.#failed = false;
      try {
        await this.#turn();
        this.#failures = 0;
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

  #reject(hostname: string, batch: WriteBatch, error: unknown): void {
    const isNew = this.pending.reject(hostname, batch, performance.now());
    if (isNew) this.events.setAside(hostname, error);
  }

  async #turn(): Promise<void> {
    this.pending.retryRejected();
    const instance = (this.#instance ??= await this.#acquire());
    const isHeld = await this.#writeAll(instance);
    if (isHeld && performance.now() >= this.#renewAtMs) await this.#renew(instance);
  }

  async #acquire(): Promise<string> {
    const instance = `${this.gateway}-${++this.#acquired}`;
    this.#update(await this.database.acquire(instance, this.settings.leaseMs));
    this.pending.markAllDirty();
    return instance;
  }

  /**
   * Writes what is pending. Agents that connect meanwhile wait for the next gap, otherwise
   * thousands of connects would be as many writes.
   * @returns false if the lease is lost.
   */
  async #writeAll(instance: string): Promise<boolean> {
    for (let full = !this.pending.empty; full;) {
      const batch = this.pending.takeBatch();
      full = batch.full;
      let isHeld = false;
      try {
        isHeld = await this.database.write(instance, batch, performance.now(), (hostname, error) =>
          this.#reject(hostname, batch, error),
        );
        if (isHeld) this.pending.confirm(batch);
      } finally {
        if (!isHeld) this.pending.restore(batch);
      }
      if (!isHeld) {
        this.#lose();
        return false;
      }
      this.events.written(batch);
    }
    return true;
  }

  /**
   * Advances the watermark to the last renewal if everything seen until then is written. That
   * renewal's time by the database's clock is earlier than its answer arrived here.
   */
  async #renew(instance: string): Promise<void> {
    const advanceWatermark =
      !this.#draining &&
      this.#renewedMs !== undefined &&
      this.pending.isWrittenUntil(this.#renewedMs);
    this.#renewedMs = undefined;
    const leases = await this.database.renew(instance, this.settings.leaseMs, advanceWatermark);
    if (leases === undefined) {
      this.#lose();
      return;
    }
    this.#update(leases);
    await this.events.renewed();
  }

  #lose(): void {
    this.#instance = undefined;
    this.#renewedMs = undefined;
    this.events.lost();
  }

  #update({ gateways, nextExpiryMs }: GatewayLeases): void {
    this.#renewedMs = performance.now();
    const untilExpiryMs = (nextExpiryMs ?? Infinity) + EXPIRY_SLACK_MS;
    this.#renewAtMs = this.#renewedMs + Math.min(this.settings.leaseMs / 3, untilExpiryMs);
    const hasOneLeft = this.#gateways.some((gateway) => !gateways.includes(gateway));
    this.#gateways = gateways;
    if (hasOneLeft) this.events.gatewaysChanged();
  }

  /** Pauses until the next renewal, or until the gap of a pending write is over. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(this.#timer);
        resolve();
      };
      this.#wakeAtMs = Infinity;
      if (this.#failed) this.#wakeBy(performance.now() + this.#chooseRetryMs());
      else if (this.#instance === undefined) this.#wakeBy(performance.now());
      else this.#wakeBy(Math.min(this.#renewAtMs, this.#nextWriteMs()));
    });
  }

  #chooseRetryMs(): number {
    return RETRY_MS + chooseBackoffMs(RETRY, this.#failures++, Math.random());
  }

  /** Computes when a write that becomes pending now is due; Infinity if nothing is pending. */
  #nextWriteMs(): number {
    const { dirty, empty } = this.pending;
    const { writeGapMs, pushWriteGapMs } = this.settings;
    if (dirty) return performance.now() + writeGapMs;
    return empty ? Infinity : performance.now() + pushWriteGapMs;
  }

  /** Ends the pause at this time, unless it ends sooner. */
  #wakeBy(atMs: number): void {
    if (atMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake?.(), Math.max(0, atMs - performance.now()));
  }
}
