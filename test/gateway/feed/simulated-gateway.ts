// A gateway in miniature around the real Reconciler and Fleet: a listener whose notifications
// arrive late, repeatedly, or not at all; reads whose rows, sequence and result come at separate
// moments; and readers that follow the fleet in batches. It checks its invariants after every step.

import { Fleet } from '../../../src/gateway/fleet/fleet.js';
import type { FleetEntry, VmRow } from '../../../src/gateway/fleet/entry.js';
import {
  INVALIDATIONS_CHANNEL,
  parseInvalidation,
  parseRow,
} from '../../../src/gateway/feed/notification.js';
import { Reconciler } from '../../../src/gateway/feed/reconciler.js';
import type { ReadRequest } from '../../../src/gateway/stale/stale-hostnames.js';
import { SimulatedDatabase, type Notification, type State } from './simulated-database.js';

/** A read between its sending and the arrival of its result. */
interface Read {
  readonly request: ReadRequest;
  rows?: readonly VmRow[];
  sequence?: number;
}

/** The states sent to one subscriber, and their earliest position in the committed history. */
class Witness {
  readonly sent = new Map<string, State>();
  readonly #at = new Map<string, number>();

  constructor(private readonly database: SimulatedDatabase) {}

  /** Records a state sent for `hostname`, which must not be older than the one before. */
  record(hostname: string, state: State): void {
    if (state === undefined) this.sent.delete(hostname);
    else this.sent.set(hostname, state);
    const at = this.#at.get(hostname) ?? 0;
    const history = this.database.history.get(hostname) ?? [];
    const next = history.indexOf(state, at);
    if (next >= 0) this.#at.set(hostname, next);
    else if (!this.database.mayGoBack(hostname)) {
      const states = [...history.keys()].map(
        (i) => `${i === at ? '*' : ''}${history[i] ?? 'absent'}`,
      );
      throw new Error(`${hostname} goes back to ${state ?? 'absent'} in ${states.join(', ')}`);
    }
  }
}

/** Follows the fleet in batches, as a dashboard does. */
class Reader {
  #offset: number | undefined;
  /** The head when the snapshot under way began. */
  #snapshotHead = 0;
  #inSnapshot = false;
  #rows = new Map<string, string>();
  readonly #witness: Witness;

  constructor(
    private readonly fleet: Fleet,
    private readonly database: SimulatedDatabase,
  ) {
    this.#witness = new Witness(database);
  }

  get rows(): ReadonlyMap<string, string> {
    return this.#rows;
  }

  /** Scans at most `count` entries. */
  scan(count: number): void {
    const { fleet } = this;
    let from = this.#offset ?? -1;
    // A row deleted before a snapshot began was never in it: its tombstone is not needed.
    const knows = this.#inSnapshot ? Math.max(from, this.#snapshotHead) : from;
    if (from < 0 || !fleet.canResume({ epoch: fleet.epoch, offset: knows })) {
      this.#rows = new Map();
      this.#inSnapshot = true;
      this.#snapshotHead = fleet.head;
      from = 0;
    }
    let left = count;
    for (const entry of fleet.entriesAfter(from)) {
      if (left-- === 0) return;
      this.#take(entry);
    }
    this.#offset = fleet.head;
    if (this.#inSnapshot) this.#endSnapshot();
  }

  #take(entry: FleetEntry): void {
    this.#offset = entry.offset;
    if (entry.kind === 'vm') this.#rows.set(entry.hostname, entry.row);
    else this.#rows.delete(entry.hostname);
    if (!this.#inSnapshot) this.#witness.record(entry.hostname, this.#rows.get(entry.hostname));
  }

  /** Only the end of a snapshot says which hostnames are absent. */
  #endSnapshot(): void {
    this.#inSnapshot = false;
    for (const hostname of this.database.history.keys()) {
      this.#witness.record(hostname, this.#rows.get(hostname));
    }
  }
}

export class SimulatedGateway {
  readonly database: SimulatedDatabase;
  readonly fleet: Fleet;
  readonly reconciler: Reconciler;
  readonly #readers: Reader[];
  /** Receives each published entry, like all agents; undefined until the fleet is loaded. */
  #agents: Witness | undefined;
  #published = 0;

  /** The notifications sent to the listener's connection, and how many are delivered. */
  #notifications: Notification[] = [];
  #delivered = 0;
  #listening = true;
  /** The reads under way in order of sending. The rules allow one; broken rules may leave more. */
  readonly #reads: Read[] = [];
  /** A change happened without a notification and without a disconnection. */
  #unnotified = false;

  constructor(hostnames: readonly string[], present: readonly string[], maxTombstones: number) {
    this.database = new SimulatedDatabase(hostnames, present, (notifications) => {
      if (this.#listening) this.#notifications.push(...notifications);
    });
    this.fleet = new Fleet('epoch', maxTombstones);
    this.reconciler = new Reconciler(this.fleet, (entry) => this.#publish(entry));
    this.#readers = [new Reader(this.fleet, this.database), new Reader(this.fleet, this.database)];
  }

  deliver(count: number): void {
    const from = this.#delivered;
    for (const notification of this.#notifications.slice(from, from + count)) {
      this.#delivered++;
      this.#handle(notification);
    }
  }

  /** The last notifications will be delivered once more, in their order. */
  repeat(count: number): void {
    this.#delivered = Math.max(0, this.#delivered - count);
  }

  /** The listener's connection is lost with all that it had not delivered. */
  loseListener(): void {
    this.#listening = false;
    this.#notifications = [];
    this.#delivered = 0;
  }

  /** The listener reconnects: it listens first, and then everything is read. */
  recoverListener(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.reconciler.abandonRead();
    this.#reads.length = 0;
    this.reconciler.invalidateAll();
  }

  /** The routine read of everything. */
  readEverything(): void {
    this.reconciler.invalidateAll();
  }

  sendRead(): void {
    const request = this.reconciler.beginRead();
    if (request !== undefined) this.#reads.push({ request });
  }

  /** The read under way comes one step further: the rows, then the sequence, then its arrival. */
  advanceRead(which: number): void {
    const read = this.#reads[which % this.#reads.length];
    if (read === undefined) return;
    if (read.rows === undefined) read.rows = this.#select(read.request);
    else if (read.sequence === undefined) read.sequence = this.database.sequence;
    else {
      this.#reads.splice(this.#reads.indexOf(read), 1);
      this.reconciler.finishRead({ rows: read.rows, sequence: read.sequence });
    }
  }

  /** Reads without any event in between. */
  readAtOnce(): void {
    this.sendRead();
    while (this.#reads.length > 0) this.advanceRead(0);
  }

  /** The read under way failed: a lost connection, a timeout. */
  failRead(): void {
    if (this.#reads.length === 0) return;
    this.#reads.length = 0;
    this.reconciler.abandonRead();
  }

  scan(reader: number, count: number): void {
    if (this.#agents !== undefined) this.#readers[reader % this.#readers.length]?.scan(count);
  }

  /** A change was made without a notification. */
  markUnnotified(): void {
    this.#unnotified = true;
  }

  /** Checks what must hold at every moment. */
  check(): void {
    if (!this.reconciler.upToDate) return;
    if (this.#agents === undefined) this.#load();
    const deliveredAll = this.#listening && this.#delivered === this.#notifications.length;
    if (deliveredAll && !this.#unnotified) this.#checkFleet();
  }

  /** Delivers everything, and checks that all readers end at the table. */
  finish(): void {
    this.database.commitAll();
    this.recoverListener();
    this.#reconcile();
    if (this.#unnotified) {
      this.reconciler.invalidateAll();
      this.#reconcile();
      this.#unnotified = false;
    }
    this.check();
    for (const reader of this.#readers) {
      reader.scan(Infinity);
      this.#equalsTable('a reader', reader.rows);
    }
    this.#equalsTable('the agents', this.#agents?.sent ?? new Map());
  }

  #reconcile(): void {
    this.deliver(Infinity);
    for (let reads = 0; !this.reconciler.upToDate; reads++) {
      if (reads > 100) throw new Error('the reads come to no end');
      this.readAtOnce();
    }
  }

  #handle({ channel, payload }: Notification): void {
    const parsed =
      channel === INVALIDATIONS_CHANNEL ? parseInvalidation(payload) : parseRow(payload);
    switch (parsed.kind) {
      case 'row':
        return void this.reconciler.apply(parsed.row);
      case 'read': {
        this.reconciler.invalidate(parsed.hostname);
        return;
      }
      case 'read-all': {
        this.reconciler.invalidateAll();
        return;
      }
      case 'rejected':
        throw new Error(`the trigger's own payload was rejected: ${payload}`);
    }
  }

  #select(request: ReadRequest): VmRow[] {
    const rows = [...this.database.rows.values()];
    if (request.kind === 'all') return rows;
    return rows.filter((row) => request.hostnames.includes(row.hostname));
  }

  #publish(entry: FleetEntry): void {
    if (entry.offset !== ++this.#published) throw new Error('an entry was published out of order');
    this.#agents?.record(entry.hostname, entry.kind === 'vm' ? entry.row : undefined);
  }

  /** The fleet has seen the whole table: from here on subscribers are served. */
  #load(): void {
    this.#agents = new Witness(this.database);
    for (const hostname of this.database.history.keys()) {
      const entry = this.fleet.get(hostname);
      this.#agents.record(hostname, entry?.kind === 'vm' ? entry.row : undefined);
    }
  }

  #checkFleet(): void {
    const rows = [...this.fleet.entriesAfter(0)].filter((entry) => entry.kind === 'vm');
    this.#equalsTable('the fleet', new Map(rows.map(({ hostname, row }) => [hostname, row])));
    const versions = [...this.database.rows.values()].map((row) => row.version);
    const { count, maxVersion, sumOfVersions } = this.fleet.computeFingerprint();
    const sum = versions.reduce((total, version) => total + BigInt(version), 0n);
    if (
      count !== versions.length ||
      maxVersion !== Math.max(0, ...versions) ||
      sumOfVersions !== sum
    )
      throw new Error('the fingerprint is not that of the table');
  }

  #equalsTable(whose: string, rows: ReadonlyMap<string, State>): void {
    for (const hostname of this.database.history.keys()) {
      const [has, should] = [rows.get(hostname), this.database.rows.get(hostname)?.row];
      if (has === should) continue;
      throw new Error(
        `${whose} has ${has ?? 'nothing'} where the table has ${should ?? 'nothing'}`,
      );
    }
  }
}
