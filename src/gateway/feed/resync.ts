// Keeps the fleet equal to the table: reads what is stale, compares the two now and then, and knows
// whether the feed is live. The feed is live only while LISTEN is verified by a heartbeat and
// everything sent before that has been read.

import type { Fingerprint } from '../fleet/fleet.js';
import { ReadLoop } from '../stale/read-loop.js';
import type { ReadRequest } from '../stale/stale-hostnames.js';
import type { ReadResult, Reconciler } from './reconciler.js';

/** The table as the cheap check sees it. */
export interface TableCheck extends Fingerprint {
  /** The triggers, as text that changes whenever one of them does. */
  readonly triggers: string;
  /** Whether all triggers exist and are enabled as the schema creates them. */
  readonly triggersInForce: boolean;
}

/** The feed's queries. Both run through the pool with deadlines of their own, and may reject. */
export interface FeedDatabase {
  /** @param signal aborted when the result is no longer wanted, to free the connection. */
  readonly read: (request: ReadRequest, signal: AbortSignal) => Promise<ReadResult>;
  readonly check: () => Promise<TableCheck>;
}

/** Why the table is read. A label of a metric. */
export type ResyncReason = 'start' | 'reconnect' | 'stale' | 'check' | 'triggers' | 'routine';

export interface ResyncEvents {
  readonly liveChanged: (live: boolean) => void;
  /** A read begins. */
  readonly reading: (request: ReadRequest, reason: ResyncReason) => void;
  /** A read or a check failed; it is tried again. */
  readonly failed: (error: unknown) => void;
  /** The schema's triggers are missing, changed or disabled: changes send no notifications. */
  readonly triggersOff: () => void;
}

export interface ResyncSettings {
  /** How often the fleet is compared with the table by the cheap check. */
  readonly checkIntervalMs: number;
  /** How often everything is read, whatever the checks find. */
  readonly fullReadIntervalMs: number;
}

type Difference = Pick<Fingerprint, 'count' | 'sumOfVersions'>;

/** A read's result, and the triggers as they were before a full read. */
interface Read {
  readonly result: ReadResult;
  readonly triggers: string | undefined;
}

/** Pause between a failed read and the next try. */
const RETRY_MS = 250;

export class Resync {
  readonly #loop: ReadLoop<Read>;
  /** Counts how often the feed went stale: a check that began before is ignored. */
  #generation = 0;
  #listening = false;
  #verified = false;
  /** Everything was read since the feed went stale, and once more what was touched meanwhile. */
  #caughtUp = false;
  #loaded = false;
  #live = false;
  #checking = false;
  #fullReadReason: ResyncReason = 'start';
  #lastFullReadMs = 0;
  /** The triggers before the last full read, or at a later check. */
  #triggers: string | undefined;
  /** How many rows the last full read could not read. */
  #unreadable = 0;
  /** How the table differs from the fleet because of them; undefined if it is not known yet. */
  #knownDifference: Difference | undefined;
  #checkTimer: NodeJS.Timeout | undefined;
  #readTimer: NodeJS.Immediate | undefined;

  constructor(
    private readonly reconciler: Reconciler,
    private readonly database: FeedDatabase,
    private readonly events: ResyncEvents,
    private readonly settings: ResyncSettings,
  ) {
    this.#loop = new ReadLoop<Read>(
      {
        begin: () => reconciler.beginRead(),
        read: (request, signal) => this.#read(request, signal),
        finish: (request, read) => this.#finishRead(request, read),
        abandon: () => reconciler.abandonRead(),
        failed: events.failed,
        done: () => this.#catchUp(),
      },
      { gapMs: 0, retryMs: RETRY_MS },
    );
  }

  get live(): boolean {
    return this.#live;
  }

  /** Whether the table was ever read completely: before that the gateway has nothing to serve. */
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
    clearImmediate(this.#readTimer);
    this.#listening = false;
    this.#goStale();
  }

  /** A new connection listens; only what is read from now on is known to be complete. */
  sourceConnected(): void {
    this.#listening = true;
    this.#goStale();
    this.#startReading();
  }

  sourceDisconnected(): void {
    this.#listening = false;
    this.#goStale();
  }

  heartbeatArrived(): void {
    this.#verified = true;
    this.#updateLive();
    this.#startReading();
  }

  heartbeatMissed(): void {
    this.#goStale();
  }

  /** Reads what is stale at the end of this turn, so that all of the turn is one read. */
  readSoon(): void {
    this.#readTimer ??= setImmediate(() => {
      this.#readTimer = undefined;
      this.#startReading();
    });
  }

  /** Reads everything again. */
  rereadAll(reason: ResyncReason): void {
    this.#fullReadReason = reason;
    this.reconciler.invalidateAll();
    this.readSoon();
  }

  #goStale(): void {
    this.#generation++;
    this.#verified = false;
    this.#caughtUp = false;
    this.#loop.abort();
    this.reconciler.abandonRead();
    this.reconciler.invalidateAll();
    this.#fullReadReason = this.#loaded ? 'reconnect' : 'start';
    this.#updateLive();
  }

  #updateLive(): void {
    const live = this.#listening && this.#verified && this.#caughtUp;
    if (live === this.#live) return;
    this.#live = live;
    this.events.liveChanged(live);
  }

  #startReading(): void {
    if (this.#listening) this.#loop.start();
  }

  async #read(request: ReadRequest, signal: AbortSignal): Promise<Read> {
    const isFull = request.kind === 'all';
    this.events.reading(request, isFull ? this.#fullReadReason : 'stale');
    // Before the rows: triggers that change later may have hidden a change of a row.
    const triggers = isFull ? (await this.database.check()).triggers : undefined;
    return { result: await this.database.read(request, signal), triggers };
  }

  #finishRead(request: ReadRequest, { result, triggers }: Read): void {
    this.reconciler.finishRead(result);
    if (request.kind === 'all') {
      this.#unreadable = result.unreadable?.length ?? 0;
      this.#knownDifference = undefined;
      this.#lastFullReadMs = performance.now();
      this.#triggers = triggers;
      // Until another reason is given: an invalidation may ask for a full read, too.
      this.#fullReadReason = 'stale';
    } else {
      // The first read after the feed went stale is full, so this one was of what it missed.
      this.#catchUp();
    }
  }

  #catchUp(): void {
    this.#caughtUp = true;
    this.#loaded = true;
    this.#updateLive();
  }

  /** The routine full read, or else the cheap check. Not during a full read, which is as good. */
  async #check(): Promise<void> {
    if (!this.#live || this.reconciler.reading?.kind === 'all' || this.#checking) return;
    if (performance.now() - this.#lastFullReadMs > this.settings.fullReadIntervalMs) {
      this.rereadAll('routine');
      return;
    }
    this.#checking = true;
    try {
      await this.#compare();
    } finally {
      this.#checking = false;
    }
  }

  /** Compares only if the fleet was up to date before and after, and did not change meanwhile. */
  async #compare(): Promise<void> {
    const { fleet, upToDate } = this.reconciler;
    const { head } = fleet;
    const generation = this.#generation;
    const table = await this.database.check();
    if (generation !== this.#generation) return;
    this.#compareTriggers(table);
    const isComparable = upToDate && this.reconciler.upToDate && fleet.head === head;
    if (isComparable && this.#differs(table, fleet.computeFingerprint())) this.rereadAll('check');
  }

  /** Rows that cannot be read make a difference that stays the same until one of them changes. */
  #differs(table: Fingerprint, fleet: Fingerprint): boolean {
    if (this.#unreadable === 0) return !isEqual(table, fleet);
    const difference = {
      count: table.count - fleet.count,
      sumOfVersions: table.sumOfVersions - fleet.sumOfVersions,
    };
    const known = (this.#knownDifference ??= difference);
    return known.count !== difference.count || known.sumOfVersions !== difference.sumOfVersions;
  }

  /** Triggers that changed may have missed a change, even if they are in force again. */
  #compareTriggers({ triggers, triggersInForce }: TableCheck): void {
    const changed = this.#triggers !== triggers;
    this.#triggers = triggers;
    if (!triggersInForce) this.events.triggersOff();
    if (changed || !triggersInForce) this.rereadAll('triggers');
  }
}

function isEqual(table: Fingerprint, fleet: Fingerprint): boolean {
  return (
    table.count === fleet.count &&
    table.maxVersion === fleet.maxVersion &&
    table.sumOfVersions === fleet.sumOfVersions
  );
}
