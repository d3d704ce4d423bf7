// Decides what notifications, invalidations and reads do to the fleet. The table is the truth and a
// notification is an early hint: this class decides which hints to apply and what to read again.
// Pure: no I/O, no timers.
//
// Versions order the changes of one hostname, but they can cross: an INSERT may take its version,
// wait for another transaction's DELETE, and commit below it. The database may also go back (a
// restored backup, a failover). So a notification applies only if its version is higher; everything
// else is read.

import type { Fleet } from '../fleet/fleet.js';
import type { VmRow, RowEntry } from '../fleet/entry.js';
import { StaleHostnames, type ReadRequest } from '../stale/stale-hostnames.js';

/** The effect of a notified row on the fleet. A label of a metric. */
export type ApplyResult = 'applied' | 'repeat' | 'stale';

/** The result of a read. `sequence` was read after the rows. */
export interface ReadResult {
  readonly rows: readonly VmRow[];
  /** The last version that the database handed out. */
  readonly sequence: number;
}

export class Reconciler {
  readonly #stale = new StaleHostnames();
  /** The read under way, and the hostnames touched since it was sent. */
  #reading: ReadRequest | undefined;
  readonly #touched = new Set<string>();
  #allTouched = false;
  /** The sequence at the last read: up to it, an unknown hostname counts as deleted. */
  #sequence = 0;

  /** @param publish called with every new entry of the fleet, in order and at once. */
  constructor(
    readonly fleet: Fleet,
    private readonly publish: (entry: RowEntry) => void,
  ) {}

  /** How many rows wait to be read; the whole table counts as its size. */
  get staleRows(): number {
    return this.#stale.count ?? Math.max(1, this.fleet.size);
  }

  /** The read under way; undefined if there is none. */
  get reading(): ReadRequest | undefined {
    return this.#reading;
  }

  /** Nothing is stale and no read is under way: the fleet is the table, as far as is known. */
  get upToDate(): boolean {
    return this.#reading === undefined && this.staleRows === 0;
  }

  /**
   * Rule 1: a higher version is applied, an equal one is a repeat, anything else makes the row
   * stale. If the fleet has no entry, compare with the sequence of the last read, so that a late
   * notification cannot resurrect a deleted row whose tombstone is gone.
   */
  apply(row: VmRow): ApplyResult {
    this.#touch(row.hostname);
    const current = this.fleet.get(row.hostname);
    if (row.version > (current?.version ?? this.#sequence)) {
      this.publish(this.fleet.upsert(row));
      return 'applied';
    }
    if (current?.kind === 'vm' && row.version === current.version) return 'repeat';
    this.#stale.add(row.hostname);
    return 'stale';
  }

  /** This row must be read. */
  invalidate(hostname: string): void {
    this.#touch(hostname);
    this.#stale.add(hostname);
  }

  /** Everything must be read, after the read under way if there is one. */
  invalidateAll(): void {
    if (this.#reading !== undefined) this.#allTouched = true;
    this.#stale.addAll();
  }

  /**
   * Decides what to read next; undefined if nothing is stale or a read is under way. The caller
   * passes the result to `finishRead`, or calls `abandonRead`.
   */
  beginRead(): ReadRequest | undefined {
    if (this.#reading !== undefined) return undefined;
    this.#reading = this.#stale.take();
    return this.#reading;
  }

  /**
   * Rule 2: a read is right about every hostname that no notification touched since it was sent,
   * whatever the versions say; a row that is absent was deleted. Touched rows are read again.
   */
  finishRead({ rows, sequence }: ReadResult): void {
    const request = this.#reading;
    if (request === undefined) throw new Error('no read is under way');
    const byHostname = new Map(rows.map((row) => [row.hostname, row]));
    const requested =
      request.kind === 'rows'
        ? request.hostnames
        : new Set([...this.fleet.hostnames(), ...byHostname.keys()]);
    for (const hostname of requested) {
      if (this.#allTouched || this.#touched.has(hostname)) this.#stale.add(hostname);
      else this.#reconcile(hostname, byHostname.get(hostname), sequence);
    }
    this.#sequence = sequence;
    this.#endRead();
    this.fleet.pruneTombstones();
  }

  /** The read failed, or the feed went stale meanwhile: what it asked for must still be read. */
  abandonRead(): void {
    if (this.#reading !== undefined) this.#stale.restore(this.#reading);
    this.#endRead();
  }

  #touch(hostname: string): void {
    if (this.#reading !== undefined) this.#touched.add(hostname);
  }

  #endRead(): void {
    this.#reading = undefined;
    this.#touched.clear();
    this.#allTouched = false;
  }

  #reconcile(hostname: string, row: VmRow | undefined, sequence: number): void {
    const current = this.fleet.get(hostname);
    if (row === undefined) this.#reconcileAbsent(current, sequence);
    else if (current?.kind !== 'vm' || current.row !== row.row)
      this.publish(this.fleet.upsert(row));
  }

  /**
   * Rule 3: a tombstone carries the highest version that could exist. A hostname that the fleet
   * never had needs none.
   */
  #reconcileAbsent(current: RowEntry | undefined, sequence: number): void {
    if (current === undefined) return;
    const version = Math.max(sequence, current.version);
    if (current.kind === 'deleted') this.fleet.raiseTombstone(current, version);
    else this.publish(this.fleet.delete(current.hostname, version));
  }
}
