// Keeps the fleet true: reads what is doubtful, checks the table, and knows whether the feed is live or in a gap.
// The feed is live only while LISTEN is proven and everything before it has been read.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fingerprint } from '../fleet/fleet.js';
import type { ReadRequest, ReadResult, Truth } from './reconciler.js';

/** The table as the cheap check sees it. */
export interface TableCheck extends Fingerprint {
  /** The triggers, in a form that changes whenever one of them does. */
  readonly triggers: string;
  /** Whether all of them are there and enabled, as the schema makes them. */
  readonly triggersInForce: boolean;
}

/** What the feed asks of the database; both run through the pool and have deadlines of their own. */
export interface FeedDatabase {
  /** @param signal aborted when nobody wants the result any more: one that goes on would keep a connection. */
  readonly read: (request: ReadRequest, signal: AbortSignal) => Promise<ReadResult>;
  readonly check: () => Promise<TableCheck>;
}

export type ResyncReason = 'start' | 'reconnect' | 'doubtful' | 'check' | 'triggers' | 'routine';

export interface ResyncEvents {
  /** The feed has become live, or has entered a gap. */
  readonly liveChanged: (live: boolean) => void;
  /** A read begins. */
  readonly reading: (request: ReadRequest, reason: ResyncReason) => void;
  /** A read or a check failed; it is tried again. */
  readonly failed: (error: unknown) => void;
  /** The schema's triggers are missing, changed or disabled: news no longer comes by itself. */
  readonly triggersOff: () => void;
}

export interface ResyncSettings {
  /** How often the table is compared in the cheap way. */
  readonly checkIntervalMs: number;
  /** How often everything is read whatever the checks say. */
  readonly fullReadIntervalMs: number;
}

/** Between a read that failed and the next try. */
const RETRY_MS = 250;

export class Resync {
  /** Goes up with every gap: what was begun before it is abandoned. */
  #generation = 0;
  #gap = new AbortController();
  #listening = false;
  #proven = false;
  /** Everything was read since the last gap, and once more what was heard of meanwhile. */
  #caughtUp = false;
  #loaded = false;
  #live = false;
  #reading = false;
  #readingAll = false;
  #checking = false;
  #fullReadReason: ResyncReason = 'start';
  #lastFullReadMs = 0;
  /** As they were before the last full read, or at a later check. */
  #triggers: string | undefined;
  #checkTimer: NodeJS.Timeout | undefined;
  #wake: NodeJS.Immediate | undefined;

  constructor(
    private readonly truth: Truth,
    private readonly database: FeedDatabase,
    private readonly events: ResyncEvents,
    private readonly settings: ResyncSettings,
  ) {}

  /** False in a gap. */
  get live(): boolean {
    return this.#live;
  }

  /** Whether the table has ever been read: before that nothing is known, not even what was. */
  get loaded(): boolean {
    return this.#loaded;
  }

  start(): void {
    this.#checkTimer = setInterval(() => {
      this.#check().catch(this.events.failed);
    }, this.settings.checkIntervalMs);
  }

  stop(): void {
    clearInterval(this.#checkTimer);
    clearImmediate(this.#wake);
    this.#listening = false;
    this.#enterGap();
  }

  /** LISTEN is in force on a new connection; only what is read from now on is known to be complete. */
  listenerUp(): void {
    this.#listening = true;
    this.#enterGap();
    this.#read();
  }

  listenerDown(): void {
    this.#listening = false;
    this.#enterGap();
  }

  heartbeatArrived(): void {
    this.#proven = true;
    this.#updateLive();
    this.#read();
  }

  heartbeatMissed(): void {
    this.#enterGap();
  }

  /** Something is doubtful. What comes with it in the same turn is read with it. */
  wake(): void {
    this.#wake ??= setImmediate(() => {
      this.#wake = undefined;
      this.#read();
    });
  }

  /** Everything must be read again. */
  readAll(reason: ResyncReason): void {
    this.#fullReadReason = reason;
    this.truth.doubtAll();
    this.wake();
  }

  #enterGap(): void {
    this.#generation++;
    this.#gap.abort();
    this.#gap = new AbortController();
    this.#proven = false;
    this.#caughtUp = false;
    this.#reading = false;
    this.#readingAll = false;
    this.truth.abandonRead();
    this.truth.doubtAll();
    this.#fullReadReason = this.#loaded ? 'reconnect' : 'start';
    this.#updateLive();
  }

  #updateLive(): void {
    const live = this.#listening && this.#proven && this.#caughtUp;
    if (live === this.#live) return;
    this.#live = live;
    this.events.liveChanged(live);
  }

  #read(): void {
    if (this.#reading || !this.#listening) return;
    this.#reading = true;
    this.#readWhileDoubtful(this.#generation).catch(this.events.failed);
  }

  /** One read after the other, until nothing is doubtful or a gap begins. */
  async #readWhileDoubtful(generation: number): Promise<void> {
    for (;;) {
      const request = this.truth.beginRead();
      if (request === undefined) break;
      this.#readingAll = request.kind === 'all';
      const read = await this.#tryRead(request, generation);
      if (generation !== this.#generation) return;
      this.#readingAll = false;
      // The first read after a gap is of everything, so these rows were heard of meanwhile.
      if (read && request.kind === 'rows') this.#catchUp();
      if (!read) await sleep(RETRY_MS);
      if (generation !== this.#generation) return;
    }
    this.#reading = false;
    this.#catchUp();
  }

  /** False when the read failed. What was read is nobody's when a gap has begun meanwhile. */
  async #tryRead(request: ReadRequest, generation: number): Promise<boolean> {
    this.events.reading(request, request.kind === 'all' ? this.#fullReadReason : 'doubtful');
    const { signal } = this.#gap;
    try {
      // Before the rows: a change of the triggers that comes later may have hidden one of a row.
      const triggers = request.kind === 'all' ? (await this.database.check()).triggers : undefined;
      const result = await this.database.read(request, signal);
      if (generation !== this.#generation) return true;
      this.truth.finishRead(result);
      if (triggers !== undefined) this.#finishFullRead(triggers);
      return true;
    } catch (error) {
      if (generation !== this.#generation) return false;
      this.events.failed(error);
      this.truth.abandonRead();
      return false;
    }
  }

  #finishFullRead(triggers: string): void {
    this.#lastFullReadMs = performance.now();
    this.#triggers = triggers;
    this.#fullReadReason = 'doubtful'; // unless the next has another: a notice may ask for all, too
  }

  #catchUp(): void {
    this.#caughtUp = true;
    this.#loaded = true;
    this.#updateLive();
  }

  /** The cheap check, and the routine read that needs no reason. To ask for a full read during one would waste it. */
  async #check(): Promise<void> {
    if (!this.#live || this.#readingAll || this.#checking) return;
    if (performance.now() - this.#lastFullReadMs > this.settings.fullReadIntervalMs) {
      this.readAll('routine');
      return;
    }
    this.#checking = true;
    try {
      await this.#compare();
    } finally {
      this.#checking = false;
    }
  }

  /** Only a fleet that was settled before and after, and took nothing meanwhile, can be compared. */
  async #compare(): Promise<void> {
    const { fleet, settled } = this.truth;
    const { head } = fleet;
    const generation = this.#generation;
    const table = await this.database.check();
    if (generation !== this.#generation) return;
    this.#compareTriggers(table);
    const comparable = settled && this.truth.settled && fleet.head === head;
    if (comparable && !sameTable(table, fleet.computeFingerprint())) this.readAll('check');
  }

  /** Triggers that were changed, even if they are in force again, may have missed something; off, they miss all. */
  #compareTriggers({ triggers, triggersInForce }: TableCheck): void {
    const changed = this.#triggers !== triggers;
    this.#triggers = triggers;
    if (!triggersInForce) this.events.triggersOff();
    if (changed || !triggersInForce) this.readAll('triggers');
  }
}

function sameTable(table: Fingerprint, fleet: Fingerprint): boolean {
  return (
    table.count === fleet.count &&
    table.maxVersion === fleet.maxVersion &&
    table.sumOfVersions === fleet.sumOfVersions
  );
}
