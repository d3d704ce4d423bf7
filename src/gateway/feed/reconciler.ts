// Decides what notifications, invalidations and reads do to the fleet. The table is the truth and a
// notification is an early hint: this class decides which hints to apply and what to read again.
// Pure: no I/O, no timers.
//
// Versions order the changes of one hostname, but they can cross: an INSERT may take its version,
// wait for another transaction's DELETE, and commit below it. The database may also go back (a
// restored backup, a failover). So a notification applies only if its version is higher; everything
// else is read.
//
// Any role that may connect can send a notification. So an assignment applies only if it is proven
// to come from the table, and the end of one is always read: an agent acts on nothing else.

import type { Fleet } from '../fleet/fleet.js';
import type { VmRow, RowEntry } from '../fleet/entry.js';
import { StaleHostnames, type ReadRequest } from '../stale/stale-hostnames.js';

/** The effect of a notified row on the fleet. A label of a metric. */
export type ApplyResult = 'applied' | 'repeat' | 'stale' | 'unproven';

/** The result of a read. `sequence` was read after the rows. */
export interface ReadResult {
  readonly rows: readonly VmRow[];
  /** The last version that the database handed out. */
  readonly sequence: number;
  /** Rows that cannot be read: the fleet keeps what it knows of them. */
  readonly unreadable?: readonly { readonly hostname: string | undefined }[];
}

export class Reconciler {
  readonly #stale = new StaleHostnames();
  /** The read under way, and the hostnames touched since it was sent. */
  #reading: ReadRequest | undefined;
  readonly #touched = new Set<string>();
  #allTouched = false;
  /** The highest versions of notifications whose assignment is unproven: they were not applied. */
  readonly #unproven = new Map<string, number>();
  /** The sequence at the last read: up to it, an unknown hostname counts as deleted. */
  #sequence = 0;

  /**
   * @param publish called with every new entry of the fleet, in order and at once.
   * @param contradicted called if a read finds a lower version than a notification had: it was
   *   forged, or the database went back.
   */
  constructor(
    readonly fleet: Fleet,
    private readonly publish: (entry: RowEntry) => void,
    private readonly contradicted: (hostname: string) => void = () => undefined,
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
   *
   * @param madeAt the version of the row at which its assignment was verifiably made; undefined if
   *   the row has none, or it could not be verified.
   */
  apply(row: VmRow, madeAt?: number): ApplyResult {
    this.#touch(row.hostname);
    const current = this.fleet.get(row.hostname);
    const known = current?.version ?? this.#sequence;
    if (row.version > known) {
      if (this.#isProven(row, current, madeAt)) {
        this.publish(this.fleet.upsert(row));
        return 'applied';
      }
      // The highest, or a genuine one that follows would hide a forgery.
      const highest = Math.max(row.version, this.#unproven.get(row.hostname) ?? 0);
      this.#unproven.set(row.hostname, highest);
      this.#stale.add(row.hostname);
      return 'unproven';
    }
    if (current?.kind === 'vm' && row.version === current.version) return 'repeat';
    this.#stale.add(row.hostname);
    return 'stale';
  }

  /**
   * An assignment that the gateway knows is proven again by its digest. Another one must have been
   * made after the row that the gateway knows, or an old notification could be sent again.
   */
  #isProven(row: VmRow, current: RowEntry | undefined, madeAt: number | undefined): boolean {
    const knownId = current?.kind === 'vm' ? current.assignmentId : null;
    if (row.assignmentId === null) return knownId === null;
    if (madeAt === undefined) return false;
    return row.assignmentId === knownId || madeAt > (current?.version ?? this.#sequence);
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
  finishRead({ rows, sequence, unreadable = [] }: ReadResult): void {
    const request = this.#reading;
    if (request === undefined) throw new Error('no read is under way');
    const byHostname = new Map(rows.map((row) => [row.hostname, row]));
    const unknown = new Set(unreadable.map(({ hostname }) => hostname));
    const requested =
      request.kind === 'rows'
        ? request.hostnames
        : new Set([...this.fleet.hostnames(), ...byHostname.keys()]);
    for (const hostname of requested) {
      if (this.#allTouched || this.#touched.has(hostname)) this.#stale.add(hostname);
      else if (!unknown.has(hostname))
        this.#reconcile(hostname, byHostname.get(hostname), sequence);
    }
    if (request.kind === 'all') this.#forgetUnproven();
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
    const notified = Math.max(this.#unproven.get(hostname) ?? 0, current?.version ?? 0);
    this.#unproven.delete(hostname);
    if (row !== undefined && row.version < notified && current?.kind !== 'deleted')
      this.contradicted(hostname);
    if (row === undefined) this.#reconcileAbsent(current, sequence);
    else if (current?.kind !== 'vm' || current.row !== row.row)
      this.publish(this.fleet.upsert(row));
  }

  /** A full read settled every hostname but the touched ones, also those that have no row. */
  #forgetUnproven(): void {
    for (const hostname of this.#unproven.keys()) {
      if (!this.#touched.has(hostname)) this.#unproven.delete(hostname);
    }
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
