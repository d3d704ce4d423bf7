// The in-memory copy of the table and of the agents' presence. It is also a compacted log: the
// latest entry of each row and presence has the offset of its last change, in offset order.
// Snapshots, resumes and catch-ups are therefore the same forward read. Pure: no I/O, no timers.

import type { Cursor } from './cursor.js';
import {
  isTombstone,
  type DeletedEntry,
  type FleetEntry,
  type PresenceRow,
  type PresenceEntry,
  type VmRow,
  type RowEntry,
  type VmEntry,
} from './entry.js';

/** The table summarized in three numbers, to compare with the database's. */
export interface Fingerprint {
  readonly count: number;
  readonly maxVersion: number;
  /** A bigint: the sum of ten thousand versions of up to 2^53 is no safe integer. */
  readonly sumOfVersions: bigint;
}

/** Compacting a log with fewer superseded entries is not worth its cost. */
const MIN_SUPERSEDED_TO_COMPACT = 1_000;

export class Fleet {
  readonly #rows = new Map<string, RowEntry>();
  readonly #presence = new Map<string, PresenceEntry>();
  /** In offset order, including superseded entries. */
  #log: FleetEntry[] = [];
  #head = 0;
  /** How many of `#rows` are deleted. */
  #deleted = 0;
  /** Deleted rows and presences that no longer exist. */
  #tombstones = 0;
  /** The offset of the latest tombstone that was pruned; a reader before it cannot resume. */
  #prunedUpTo = 0;

  /**
   * @param epoch identifies this log in cursors; unique per process.
   * @param maxTombstones how many tombstones to keep. They bound memory, and how many deletions a
   * client may miss and still resume.
   */
  constructor(
    readonly epoch: string,
    readonly maxTombstones: number,
  ) {}

  /** The offset of the latest entry; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** How many VMs there are. */
  get size(): number {
    return this.#rows.size - this.#deleted;
  }

  /** Returns the row of a hostname, or its tombstone; undefined if the fleet knows neither. */
  get(hostname: string): RowEntry | undefined {
    return this.#rows.get(hostname);
  }

  /** Every VM that has a row. */
  *vms(): Generator<VmEntry> {
    for (const entry of this.#rows.values()) if (entry.kind === 'vm') yield entry;
  }

  /** Every hostname that has a row. */
  *hostnames(): Generator<string> {
    for (const { hostname } of this.vms()) yield hostname;
  }

  /** Returns the presence of the hostname's agent, or its tombstone. */
  getPresence(hostname: string): PresenceEntry | undefined {
    return this.#presence.get(hostname);
  }

  /** Every presence that exists. */
  *presence(): Generator<PresenceEntry> {
    for (const entry of this.#presence.values()) if (!isTombstone(entry)) yield entry;
  }

  /** Appends the row as its hostname's latest state. */
  upsert({ hostname, version, status, assignmentId, row }: VmRow): VmEntry {
    const offset = this.#head + 1;
    const entry: VmEntry = {
      kind: 'vm',
      hostname,
      version,
      status,
      assignmentId,
      row,
      offset,
      dashboardRow: undefined,
    };
    this.#appendRow(entry);
    return entry;
  }

  /**
   * Appends a tombstone: the hostname has no row.
   * @param version a notification up to this version may be older than the deletion.
   */
  delete(hostname: string, version: number): DeletedEntry {
    const entry: DeletedEntry = { kind: 'deleted', hostname, version, offset: this.#head + 1 };
    this.#appendRow(entry);
    return entry;
  }

  /** Appends the latest presence of the hostname's agent. */
  setPresence({ hostname, online, presence }: PresenceRow): PresenceEntry {
    const offset = this.#head + 1;
    return this.#appendPresence({ kind: 'presence', hostname, online, presence, offset });
  }

  /** Appends a tombstone: the database has no presence for the hostname any more. */
  forgetPresence(hostname: string): PresenceEntry {
    return this.#appendPresence({
      kind: 'presence',
      hostname,
      online: false,
      presence: undefined,
      offset: this.#head + 1,
    });
  }

  /** Raises a tombstone's version: a later read found no row either. Readers see no change. */
  raiseTombstone(tombstone: DeletedEntry, version: number): void {
    tombstone.version = Math.max(tombstone.version, version);
  }

  /** The latest entries after `offset`, in order. The fleet must not change while iterating. */
  *entriesAfter(offset: number): Generator<FleetEntry> {
    for (let i = this.#firstAfter(offset); i < this.#log.length; i++) {
      const entry = this.#log[i];
      if (entry !== undefined && this.#isLatest(entry)) yield entry;
    }
  }

  /** Whether the entries after `cursor` bring a reader up to date; else it needs a snapshot. */
  canResume(cursor: Cursor): boolean {
    return (
      cursor.epoch === this.epoch &&
      cursor.offset <= this.#head &&
      cursor.offset >= this.#prunedUpTo
    );
  }

  /**
   * Prunes the oldest tombstones beyond `maxTombstones`. Must not be called while the table is
   * being read: an earlier notification could then resurrect a deleted row.
   */
  pruneTombstones(): void {
    let excess = this.#tombstones - this.maxTombstones;
    // A quarter of slack, so that many deletions share the cost of one pass over the log.
    if (excess <= this.maxTombstones / 4) return;
    for (const entry of this.#log) {
      if (excess === 0) break;
      if (!isTombstone(entry) || !this.#isLatest(entry)) continue;
      if (entry.kind === 'presence') this.#presence.delete(entry.hostname);
      else {
        this.#rows.delete(entry.hostname);
        this.#deleted--;
      }
      this.#prunedUpTo = entry.offset;
      this.#tombstones--;
      excess--;
    }
    this.#compact();
  }

  /** Summarizes the rows; takes time proportional to their number. */
  computeFingerprint(): Fingerprint {
    let maxVersion = 0;
    let sumOfVersions = 0n;
    for (const entry of this.#rows.values()) {
      if (entry.kind !== 'vm') continue;
      maxVersion = Math.max(maxVersion, entry.version);
      sumOfVersions += BigInt(entry.version);
    }
    return { count: this.size, maxVersion, sumOfVersions };
  }

  #appendRow(entry: RowEntry): void {
    const before = this.#rows.get(entry.hostname);
    if (before?.kind === 'deleted') this.#deleted--;
    if (entry.kind === 'deleted') this.#deleted++;
    this.#rows.set(entry.hostname, entry);
    this.#append(entry, before);
  }

  #appendPresence(entry: PresenceEntry): PresenceEntry {
    const before = this.#presence.get(entry.hostname);
    this.#presence.set(entry.hostname, entry);
    this.#append(entry, before);
    return entry;
  }

  #append(entry: FleetEntry, before: FleetEntry | undefined): void {
    if (before !== undefined && isTombstone(before)) this.#tombstones--;
    if (isTombstone(entry)) this.#tombstones++;
    this.#log.push(entry);
    this.#head = entry.offset;
    const latest = this.#rows.size + this.#presence.size;
    const superseded = this.#log.length - latest;
    if (superseded > MIN_SUPERSEDED_TO_COMPACT && superseded > latest) this.#compact();
  }

  #isLatest(entry: FleetEntry): boolean {
    const entries = entry.kind === 'presence' ? this.#presence : this.#rows;
    return entries.get(entry.hostname) === entry;
  }

  #compact(): void {
    this.#log = this.#log.filter((entry) => this.#isLatest(entry));
  }

  /** Returns the index of the first log entry with a higher offset, by binary search. */
  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#log[middle];
      if (entry !== undefined && entry.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
