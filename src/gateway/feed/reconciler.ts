// The rules of truth: what news, notices and reads do to the fleet. The table is the truth and notifications are
// early news of it; here is decided which of them may be believed, and what must be read. Pure: no I/O, no timers.
//
// Why the rules are what they are: versions order the changes of one hostname, but they can cross (an INSERT may
// take its version, wait for another transaction's DELETE to commit, and land below it), and the database may go
// back (a restored backup, a failover). So only *higher* is believed from news; everything else is read.

import type { Fleet } from '../fleet/fleet.js';
import type { VmRow, RowEntry } from '../fleet/entry.js';

/** What became of a piece of news. A label of a metric. */
export type Verdict = 'applied' | 'repeat' | 'doubtful';

/** What to read now: the whole table, or these rows. */
export type ReadRequest =
  { readonly kind: 'all' } | { readonly kind: 'rows'; readonly hostnames: readonly string[] };

/** A read's result. `sequence` was read after the rows. */
export interface ReadResult {
  readonly rows: readonly VmRow[];
  /** The last version the database handed out. */
  readonly sequence: number;
}

/** How many doubtful rows one read asks for. */
const MAX_ROWS_PER_READ = 1_000;

export class Truth {
  /** Hostnames that must be read. */
  readonly #doubtful = new Set<string>();
  #allDoubtful = true;
  /** The read under way, and what was heard since it was sent. */
  #reading: ReadRequest | undefined;
  readonly #heard = new Set<string>();
  #allHeard = false;
  /** The sequence as it was last read: what a hostname that the fleet does not know is held to be deleted at. */
  #sequence = 0;

  /** @param publish told of every entry the fleet takes, in order, at once. */
  constructor(
    readonly fleet: Fleet,
    private readonly publish: (entry: RowEntry) => void,
  ) {}

  /** How many rows wait to be read; the whole table counts as its size. */
  get doubtful(): number {
    return this.#allDoubtful ? Math.max(1, this.fleet.size) : this.#doubtful.size;
  }

  get reading(): boolean {
    return this.#reading !== undefined;
  }

  /** Nothing waits to be read and nothing is being read: the fleet is the table as far as anyone has heard. */
  get settled(): boolean {
    return !this.reading && this.doubtful === 0;
  }

  /**
   * Rule 1: a version above what is held applies, an equal one is a repeat, anything else is doubtful. Where nothing
   * is held, because a read did not show it or its marker was dropped, late news must not raise the dead either.
   */
  news(row: VmRow): Verdict {
    this.#hear(row.hostname);
    const held = this.fleet.get(row.hostname);
    if (row.version > (held?.version ?? this.#sequence)) {
      this.publish(this.fleet.upsert(row));
      return 'applied';
    }
    if (held?.kind === 'vm' && row.version === held.version) return 'repeat';
    this.#doubtful.add(row.hostname);
    return 'doubtful';
  }

  /** A notice, or a rejected payload whose hostname could be told: this row must be read. */
  doubt(hostname: string): void {
    this.#hear(hostname);
    this.#doubtful.add(hostname);
  }

  /** Everything must be read, after whatever is being read now. */
  doubtAll(): void {
    if (this.#reading !== undefined) this.#allHeard = true;
    this.#allDoubtful = true;
  }

  /** What to read next; one read at a time. Its result goes to `finishRead`, or it is abandoned. */
  beginRead(): ReadRequest | undefined {
    if (this.#reading !== undefined) return undefined;
    if (this.#allDoubtful) {
      this.#allDoubtful = false;
      this.#doubtful.clear();
      return (this.#reading = { kind: 'all' });
    }
    if (this.#doubtful.size === 0) return undefined;
    const hostnames = [...take(this.#doubtful, MAX_ROWS_PER_READ)];
    for (const hostname of hostnames) this.#doubtful.delete(hostname);
    return (this.#reading = { kind: 'rows', hostnames });
  }

  /**
   * Rule 2: a read is right about every hostname of which nothing was heard since it was sent, whatever the
   * versions say; a row that is not there was deleted. What was heard of is read again.
   */
  finishRead({ rows, sequence }: ReadResult): void {
    const request = this.#reading;
    if (request === undefined) throw new Error('no read is under way');
    const byHostname = new Map(rows.map((row) => [row.hostname, row]));
    const asked =
      request.kind === 'rows'
        ? request.hostnames
        : new Set([...this.fleet.hostnames(), ...byHostname.keys()]);
    for (const hostname of asked) {
      if (this.#allHeard || this.#heard.has(hostname)) this.#doubtful.add(hostname);
      else this.#settle(hostname, byHostname.get(hostname), sequence);
    }
    this.#sequence = sequence;
    this.#endRead();
    this.fleet.pruneTombstones();
  }

  /** The read failed, or a gap began under it: what it asked for is still to be read. */
  abandonRead(): void {
    if (this.#reading?.kind === 'rows') {
      for (const hostname of this.#reading.hostnames) this.#doubtful.add(hostname);
    }
    if (this.#reading?.kind === 'all') this.#allDoubtful = true;
    this.#endRead();
  }

  #hear(hostname: string): void {
    if (this.#reading !== undefined) this.#heard.add(hostname);
  }

  #endRead(): void {
    this.#reading = undefined;
    this.#heard.clear();
    this.#allHeard = false;
  }

  #settle(hostname: string, row: VmRow | undefined, sequence: number): void {
    const held = this.fleet.get(hostname);
    if (row === undefined) this.#settleAbsent(held, sequence);
    else if (held?.kind !== 'vm' || held.row !== row.row) this.publish(this.fleet.upsert(row));
  }

  /** Rule 3: the marker carries the highest version that could exist. What nobody knew leaves none. */
  #settleAbsent(held: RowEntry | undefined, sequence: number): void {
    if (held === undefined) return;
    const version = Math.max(sequence, held.version);
    if (held.kind === 'deleted') this.fleet.raiseTombstone(held, version);
    else this.publish(this.fleet.delete(held.hostname, version));
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
