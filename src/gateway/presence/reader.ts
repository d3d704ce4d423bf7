// Keeps what the fleet says of agents true: reads what is doubtful, one read at a time. A notification carries nothing
// to believe, it only says whose presence to read; and everything is read after every gap, when a gateway is no more,
// and now and then. So what was lost delays the truth and never loses it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../fleet/fleet.js';
import {
  isTombstone,
  type PresenceRow,
  type PresenceEntry,
  type RowEntry,
} from '../fleet/entry.js';

export interface PresenceFeedEvents {
  /** Reads the presence of these hostnames, or all there is; of whom nothing is known is left out. */
  readonly read: (hostnames: readonly string[] | undefined) => Promise<readonly PresenceRow[]>;
  /** Told of every entry the fleet takes, in order, at once. */
  readonly publish: (entry: PresenceEntry) => void;
  /** A read failed; it is tried again. */
  readonly failed: (error: unknown) => void;
}

export interface PresenceFeedSettings {
  /** Between two reads: what changes meanwhile is read together. */
  readonly readGapMs: number;
  readonly fullReadIntervalMs: number;
  /** How long a push waits to be written that is not acknowledged meanwhile. */
  readonly pushWriteGapMs: number;
}

/** How many hostnames one read asks for. */
const MAX_PER_READ = 1_000;
/** Whoever doubts so many may as well read all. */
const MAX_DOUBTFUL = 10_000;
/**
 * An acknowledgement is read at once. A new assignment that has none is read when its push has had this time to be
 * written, and not before.
 */
const PUSH_WRITE_MS = 1_000;
/**
 * How many assignments that nobody acknowledged are read at a time: a storm of assignments is news of rows, and must
 * not be followed by one as large of presence.
 */
const MAX_UNACKNOWLEDGED = 100;
const TICK_MS = 1_000;

export class PresenceFeed {
  readonly #doubtful = new Set<string>();
  #allDoubtful = true;
  #live = false;
  #reading = false;
  #lastFullReadMs = 0;
  /** The assignment of each row, to know when it has another. */
  readonly #assignments = new Map<string, string | null>();
  /** Hostnames whose assignment is new, and since when; the oldest first. */
  readonly #unacknowledged = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly fleet: Fleet,
    private readonly events: PresenceFeedEvents,
    private readonly settings: PresenceFeedSettings,
  ) {}

  /** The feed became live, or entered a gap: what is said meanwhile may not be heard. */
  setLive(live: boolean): void {
    this.#live = live;
    clearInterval(this.#timer);
    if (!live) return;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.doubtAll();
  }

  doubt(hostnames: readonly string[]): void {
    for (const hostname of hostnames) this.#doubtful.add(hostname);
    if (this.#doubtful.size > MAX_DOUBTFUL) this.#allDoubtful = true;
    this.#read();
  }

  doubtAll(): void {
    this.#allDoubtful = true;
    this.#read();
  }

  /** The fleet took a row, or lost one. What is known of its agent changes only with its assignment. */
  rowChanged(entry: RowEntry): void {
    const { hostname } = entry;
    const assignmentId = entry.kind === 'vm' ? entry.assignmentId : undefined;
    const before = this.#assignments.get(hostname);
    if (before === assignmentId) return;
    if (assignmentId === undefined) this.#assignments.delete(hostname);
    else this.#assignments.set(hostname, assignmentId);
    if (assignmentId === null || assignmentId === undefined || before === undefined)
      this.doubt([hostname]);
    else {
      this.#unacknowledged.delete(hostname);
      this.#unacknowledged.set(hostname, performance.now());
    }
  }

  #tick(): void {
    const { fullReadIntervalMs } = this.settings;
    if (performance.now() - this.#lastFullReadMs > fullReadIntervalMs) this.doubtAll();
    else this.doubt(this.#longUnacknowledged());
  }

  #longUnacknowledged(): string[] {
    const beforeMs = performance.now() - this.settings.pushWriteGapMs - PUSH_WRITE_MS;
    const hostnames: string[] = [];
    for (const [hostname, sinceMs] of this.#unacknowledged) {
      if (sinceMs > beforeMs || hostnames.length === MAX_UNACKNOWLEDGED) break;
      hostnames.push(hostname);
    }
    return hostnames;
  }

  #read(): void {
    if (this.#reading || !this.#live || !this.#isDoubtful()) return;
    this.#reading = true;
    this.#readWhileDoubtful()
      .catch(this.events.failed)
      .finally(() => (this.#reading = false));
  }

  #isDoubtful(): boolean {
    return this.#allDoubtful || this.#doubtful.size > 0;
  }

  async #readWhileDoubtful(): Promise<void> {
    while (this.#live && this.#isDoubtful()) {
      const hostnames = this.#takeDoubtful();
      try {
        this.#apply(hostnames, await this.events.read(hostnames));
      } catch (error) {
        this.#giveBack(hostnames);
        this.events.failed(error);
      }
      await sleep(this.settings.readGapMs);
    }
  }

  /** Undefined: everything. What is doubted from now on is read again. */
  #takeDoubtful(): string[] | undefined {
    if (this.#allDoubtful) {
      this.#allDoubtful = false;
      this.#doubtful.clear();
      this.#unacknowledged.clear();
      return undefined;
    }
    const hostnames = [...this.#doubtful].slice(0, MAX_PER_READ);
    for (const hostname of hostnames) {
      this.#doubtful.delete(hostname);
      this.#unacknowledged.delete(hostname);
    }
    return hostnames;
  }

  #giveBack(hostnames: readonly string[] | undefined): void {
    if (hostnames === undefined) this.#allDoubtful = true;
    else for (const hostname of hostnames) this.#doubtful.add(hostname);
  }

  #apply(hostnames: readonly string[] | undefined, read: readonly PresenceRow[]): void {
    const { fleet, events } = this;
    const unseen = new Set(hostnames ?? [...fleet.presence()].map(({ hostname }) => hostname));
    for (const presence of read) {
      unseen.delete(presence.hostname);
      const held = fleet.getPresence(presence.hostname);
      if (held?.presence !== presence.presence) events.publish(fleet.setPresence(presence));
    }
    for (const hostname of unseen) {
      const held = fleet.getPresence(hostname);
      if (held !== undefined && !isTombstone(held)) events.publish(fleet.forgetPresence(hostname));
    }
    if (hostnames === undefined) this.#lastFullReadMs = performance.now();
  }
}
