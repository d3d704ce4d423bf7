// The in-memory copy of the table and of the agents' presence, which is a compacted log at once: the latest entry of
// each hostname's row, and of its agent's presence, stands at the offset where it last changed, in offset order. So a
// snapshot, a resume and a slow reader are the same walk forward, at a cost of what changed. Pure: no I/O, no timers.

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

/** The table in three numbers, to compare with the database's. */
export interface Fingerprint {
  readonly count: number;
  readonly maxVersion: number;
  /** Beyond the safe integers: ten thousand versions of up to 2^53. */
  readonly sumOfVersions: bigint;
}

/** Below this a log is not worth compacting. */
const MIN_STALE_TO_COMPACT = 1_000;

export class Fleet {
  readonly #latest = new Map<string, RowEntry>();
  readonly #presence = new Map<string, PresenceEntry>();
  /** In offset order, stale entries among them. */
  #log: FleetEntry[] = [];
  #head = 0;
  #deletions = 0;
  /** Deletions, and presence of which nothing is known any more. */
  #markers = 0;
  #droppedUpTo = 0;

  /**
   * @param epoch names this copy in cursors: the process's own.
   * @param maxDeletions how many markers to keep, deletions and others: a bound on memory, and how far back a reader
   * may resume.
   */
  constructor(
    readonly epoch: string,
    readonly maxDeletions: number,
  ) {}

  /** The offset of the latest change; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** How many VMs there are. */
  get size(): number {
    return this.#latest.size - this.#deletions;
  }

  get(hostname: string): RowEntry | undefined {
    return this.#latest.get(hostname);
  }

  /** Every VM that has a row. */
  *vms(): Generator<VmEntry> {
    for (const entry of this.#latest.values()) if (entry.kind === 'vm') yield entry;
  }

  /** Every hostname that has a row. */
  *hostnames(): Generator<string> {
    for (const { hostname } of this.vms()) yield hostname;
  }

  /** The presence of this hostname's agent; a marker where nothing is known any more. */
  getPresence(hostname: string): PresenceEntry | undefined {
    return this.#presence.get(hostname);
  }

  /** All presence that is known. */
  *presence(): Generator<PresenceEntry> {
    for (const entry of this.#presence.values()) if (!isTombstone(entry)) yield entry;
  }

  /** Takes the row as its hostname's latest state. */
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

  /** Takes it that the hostname has no row, and that news up to `version` may be older than that. */
  delete(hostname: string, version: number): DeletedEntry {
    const entry: DeletedEntry = { kind: 'deleted', hostname, version, offset: this.#head + 1 };
    this.#appendRow(entry);
    return entry;
  }

  /** Takes this as what is known of the hostname's agent. */
  setPresence({ hostname, online, presence }: PresenceRow): PresenceEntry {
    const offset = this.#head + 1;
    return this.#appendPresence({ kind: 'presence', hostname, online, presence, offset });
  }

  /** Takes it that nothing is known of the hostname's agent any more. */
  forgetPresence(hostname: string): PresenceEntry {
    const offset = this.#head + 1;
    const gone = { presence: undefined, online: false };
    return this.#appendPresence({ kind: 'presence', hostname, ...gone, offset });
  }

  /** Raises a marker's version: the hostname was found missing again, later. Nothing changed for readers. */
  raiseTombstone(marker: DeletedEntry, version: number): void {
    marker.version = Math.max(marker.version, version);
  }

  /** The latest entries learned after `offset`, in order. Do not change the fleet while iterating. */
  *entriesAfter(offset: number): Generator<FleetEntry> {
    for (let i = this.#firstAfter(offset); i < this.#log.length; i++) {
      const entry = this.#log[i];
      if (entry !== undefined && this.#isLatest(entry)) yield entry;
    }
  }

  /** Whether a reader at `cursor` can be brought up to date by what changed since; else it needs a snapshot. */
  canResume(cursor: Cursor): boolean {
    return (
      cursor.epoch === this.epoch &&
      cursor.offset <= this.#head &&
      cursor.offset >= this.#droppedUpTo
    );
  }

  /** Drops the oldest markers beyond `maxDeletions`. Not while the table is being read: see the rules of truth. */
  pruneTombstones(): void {
    let excess = this.#markers - this.maxDeletions;
    // A quarter of slack, so that the pass over the log is paid once for many deletions.
    if (excess <= this.maxDeletions / 4) return;
    for (const entry of this.#log) {
      if (excess === 0) break;
      if (!isTombstone(entry) || !this.#isLatest(entry)) continue;
      if (entry.kind === 'presence') this.#presence.delete(entry.hostname);
      else {
        this.#latest.delete(entry.hostname);
        this.#deletions--;
      }
      this.#droppedUpTo = entry.offset;
      this.#markers--;
      excess--;
    }
    this.#compact();
  }

  computeFingerprint(): Fingerprint {
    let maxVersion = 0;
    let sumOfVersions = 0n;
    for (const entry of this.#latest.values()) {
      if (entry.kind !== 'vm') continue;
      maxVersion = Math.max(maxVersion, entry.version);
      sumOfVersions += BigInt(entry.version);
    }
    return { count: this.size, maxVersion, sumOfVersions };
  }

  #appendRow(entry: RowEntry): void {
    const before = this.#latest.get(entry.hostname);
    if (before?.kind === 'deleted') this.#deletions--;
    if (entry.kind === 'deleted') this.#deletions++;
    this.#latest.set(entry.hostname, entry);
    this.#append(entry, before);
  }

  #appendPresence(entry: PresenceEntry): PresenceEntry {
    const before = this.#presence.get(entry.hostname);
    this.#presence.set(entry.hostname, entry);
    this.#append(entry, before);
    return entry;
  }

  #append(entry: FleetEntry, before: FleetEntry | undefined): void {
    if (before !== undefined && isTombstone(before)) this.#markers--;
    if (isTombstone(entry)) this.#markers++;
    this.#log.push(entry);
    this.#head = entry.offset;
    const latest = this.#latest.size + this.#presence.size;
    const stale = this.#log.length - latest;
    if (stale > MIN_STALE_TO_COMPACT && stale > latest) this.#compact();
  }

  #isLatest(entry: FleetEntry): boolean {
    const latest = entry.kind === 'presence' ? this.#presence : this.#latest;
    return latest.get(entry.hostname) === entry;
  }

  #compact(): void {
    this.#log = this.#log.filter((entry) => this.#isLatest(entry));
  }

  /** Index of the first log entry with a higher offset. */
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
