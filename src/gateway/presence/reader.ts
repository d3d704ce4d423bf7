// Keeps the fleet's presence of agents equal to the database: reads what is stale, one read at a
// time. A notification carries no presence, it only names hostnames to read. Everything is read
// when the feed becomes live, when another gateway's lease ends, and once a minute, so a lost
// notification delays the truth but never loses it.

import {
  isTombstone,
  type PresenceRow,
  type PresenceEntry,
  type RowEntry,
} from '../fleet/entry.js';
import type { Fleet } from '../fleet/fleet.js';
import { ReadLoop } from '../stale/read-loop.js';
import { StaleHostnames, type ReadRequest } from '../stale/stale-hostnames.js';

export interface PresenceReaderEvents {
  /** Reads the presence of these hostnames, or of all; hostnames without any are left out. */
  readonly read: (hostnames: readonly string[] | undefined) => Promise<readonly PresenceRow[]>;
  /** Called with every new entry of the fleet, in order and at once. */
  readonly publish: (entry: PresenceEntry) => void;
  /** A read failed; it is tried again. */
  readonly failed: (error: unknown) => void;
}

export interface PresenceReaderSettings {
  /** Pause between two reads: what changes meanwhile is read together. */
  readonly readGapMs: number;
  readonly fullReadIntervalMs: number;
  /** How long a push without an acknowledgement waits to be written. */
  readonly pushWriteGapMs: number;
}

/** Above so many stale hostnames, everything is read instead. */
const MAX_STALE = 10_000;
/**
 * An acknowledgement is read at once. A new assignment without one is read only after its push has
 * had this time to be written.
 */
const PUSH_WRITE_MS = 1_000;
/**
 * How many unacknowledged assignments are read in one tick, so that a storm of assignments is not
 * followed by an equal storm of presence.
 */
const MAX_UNACKNOWLEDGED = 100;
const TICK_MS = 1_000;

export class PresenceReader {
  readonly #stale = new StaleHostnames(MAX_STALE);
  readonly #loop: ReadLoop<readonly PresenceRow[]>;
  #live = false;
  #lastFullReadMs = 0;
  /** The assignment of each row, to detect a new one. */
  readonly #assignments = new Map<string, string | null>();
  /** Hostnames with a new assignment, and since when; the oldest first. */
  readonly #unacknowledged = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly fleet: Fleet,
    private readonly events: PresenceReaderEvents,
    private readonly settings: PresenceReaderSettings,
  ) {
    const { readGapMs } = settings;
    this.#loop = new ReadLoop<readonly PresenceRow[]>(
      {
        begin: () => this.#beginRead(),
        read: (request) => events.read(request.kind === 'all' ? undefined : request.hostnames),
        finish: (request, presence) => this.#finishRead(request, presence),
        abandon: (request) => this.#stale.restore(request),
        failed: events.failed,
      },
      { gapMs: readGapMs, retryMs: readGapMs },
    );
  }

  /** The feed became live or stale: while it is stale, invalidations may be lost. */
  setLive(live: boolean): void {
    this.#live = live;
    clearInterval(this.#timer);
    if (!live) return;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.invalidateAll();
  }

  /** The presence of these hostnames must be read. */
  invalidate(hostnames: readonly string[]): void {
    for (const hostname of hostnames) this.#stale.add(hostname);
    this.#startReading();
  }

  invalidateAll(): void {
    this.#stale.addAll();
    this.#startReading();
  }

  /** The fleet has a new entry for a row. The agent's presence depends only on its assignment. */
  applyRow(entry: RowEntry): void {
    const { hostname } = entry;
    const assignmentId = entry.kind === 'vm' ? entry.assignmentId : undefined;
    const before = this.#assignments.get(hostname);
    if (before === assignmentId) return;
    if (assignmentId === undefined) this.#assignments.delete(hostname);
    else this.#assignments.set(hostname, assignmentId);
    if (assignmentId === null || assignmentId === undefined || before === undefined)
      this.invalidate([hostname]);
    else {
      this.#unacknowledged.delete(hostname);
      this.#unacknowledged.set(hostname, performance.now());
    }
  }

  #tick(): void {
    const { fullReadIntervalMs } = this.settings;
    if (performance.now() - this.#lastFullReadMs > fullReadIntervalMs) this.invalidateAll();
    else this.invalidate(this.#findLongUnacknowledged());
  }

  #findLongUnacknowledged(): string[] {
    const beforeMs = performance.now() - this.settings.pushWriteGapMs - PUSH_WRITE_MS;
    const hostnames: string[] = [];
    for (const [hostname, sinceMs] of this.#unacknowledged) {
      if (sinceMs > beforeMs || hostnames.length === MAX_UNACKNOWLEDGED) break;
      hostnames.push(hostname);
    }
    return hostnames;
  }

  #startReading(): void {
    if (this.#live) this.#loop.start();
  }

  #beginRead(): ReadRequest | undefined {
    const request = this.#live ? this.#stale.take() : undefined;
    if (request?.kind === 'all') this.#unacknowledged.clear();
    if (request?.kind === 'rows')
      for (const hostname of request.hostnames) this.#unacknowledged.delete(hostname);
    return request;
  }

  #finishRead(request: ReadRequest, read: readonly PresenceRow[]): void {
    const { fleet, events } = this;
    const isFull = request.kind === 'all';
    const requested = isFull
      ? [...fleet.presence()].map(({ hostname }) => hostname)
      : request.hostnames;
    const absent = new Set(requested);
    for (const presence of read) {
      absent.delete(presence.hostname);
      const current = fleet.getPresence(presence.hostname);
      if (current?.presence !== presence.presence) events.publish(fleet.setPresence(presence));
    }
    for (const hostname of absent) {
      const current = fleet.getPresence(hostname);
      if (current !== undefined && !isTombstone(current))
        events.publish(fleet.forgetPresence(hostname));
    }
    if (isFull) this.#lastFullReadMs = performance.now();
  }
}
