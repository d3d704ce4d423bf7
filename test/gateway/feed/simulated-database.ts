// A database in miniature, to test the reconciler's rules: the table `vms` under overlapping READ
// COMMITTED transactions, with the trigger's versions and notifications. The order of events is
// PostgreSQL's: a statement takes its version before an INSERT waits for the transaction that holds
// its hostname; a change and its notifications appear at commit, together; a rollback leaves only a
// gap in the sequence.

import { INVALIDATIONS_CHANNEL, ROWS_CHANNEL } from '../../../src/gateway/feed/notification.js';
import type { VmRow } from '../../../src/gateway/fleet/entry.js';

export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

/** A state of one hostname: its row's text, or undefined if it has no row. */
export type State = string | undefined;

/** An earlier state of the database: a backup, or the position of an asynchronous standby. */
interface Backup {
  readonly rows: ReadonlyMap<string, VmRow>;
  readonly sequence: number;
}

/** Tries a statement: returns the transaction to wait for, or undefined once it is done. */
type Attempt = () => Transaction | undefined;

interface Transaction {
  readonly rows: Map<string, VmRow | undefined>;
  /** Hostnames whose index entries or rows this transaction holds. */
  readonly locks: Set<string>;
  readonly states: [hostname: string, state: VmRow | undefined][];
  readonly notifications: Notification[];
  waiting: { readonly attempt: Attempt; readonly holder: Transaction } | undefined;
}

export class SimulatedDatabase {
  rows = new Map<string, VmRow>();
  sequence = 0;
  /** Every state each hostname ever had, in commit order, with the states inside a transaction. */
  readonly history = new Map<string, State[]>();
  /** Hostnames that had a later row with a lower version. */
  readonly #crossed = new Set<string>();
  /** The database itself went back, or its versions did. */
  #rewritten = false;
  readonly #highest = new Map<string, number>();
  readonly #backups: Backup[] = [];
  readonly #open = new Map<number, Transaction>();
  #texts = 0;

  /** @param notify called with each commit's notifications, in commit order. */
  constructor(
    hostnames: readonly string[],
    present: readonly string[],
    private readonly notify: (notifications: readonly Notification[]) => void,
  ) {
    for (const hostname of hostnames) this.history.set(hostname, []);
    for (const hostname of present) this.rows.set(hostname, this.#row(hostname, ++this.sequence));
    for (const hostname of hostnames) this.#remember(hostname, this.rows.get(hostname));
    this.#backUp();
  }

  /** Takes its version first; then the row waits for the transaction that holds its hostname. */
  insert(slot: number, hostname: string, onConflict: 'fail' | 'update'): void {
    this.#run(slot, (tx) => {
      const version = ++this.sequence;
      return () => {
        const holder = this.#holder(tx, hostname);
        if (holder !== undefined) return holder;
        if (this.#visible(tx, hostname) === undefined) this.#write(tx, hostname, version, 'row');
        else if (onConflict === 'update')
          this.#write(tx, hostname, this.#next(tx, hostname), 'row');
        else this.#rollBack(tx);
        return undefined;
      };
    });
  }

  /** @param sent `invalidation` for a row that is too large for a payload. */
  update(slot: number, hostname: string, sent: 'row' | 'invalidation'): void {
    this.#run(slot, (tx) => () => {
      const holder = this.#holder(tx, hostname);
      if (holder !== undefined || this.#visible(tx, hostname) === undefined) return holder;
      this.#write(tx, hostname, this.#next(tx, hostname), sent);
      return undefined;
    });
  }

  delete(slot: number, hostname: string): void {
    this.#run(slot, (tx) => () => {
      const holder = this.#holder(tx, hostname);
      if (holder === undefined && this.#visible(tx, hostname) !== undefined)
        this.#remove(tx, hostname);
      return holder;
    });
  }

  /** Takes its version with the old row, then waits for the new hostname, as an INSERT does. */
  rename(slot: number, from: string, to: string): void {
    if (from === to) return;
    this.#run(slot, (tx) => {
      let version: number | undefined;
      return () => {
        const holder = this.#holder(tx, from);
        if (holder !== undefined || this.#visible(tx, from) === undefined) return holder;
        version ??= this.#next(tx, from);
        tx.locks.add(from);
        const holderOfNew = this.#holder(tx, to);
        if (holderOfNew !== undefined) return holderOfNew;
        if (this.#visible(tx, to) !== undefined) this.#rollBack(tx);
        else {
          this.#remove(tx, from);
          this.#write(tx, to, version, 'row');
        }
        return undefined;
      };
    });
  }

  /** Takes the whole table for itself, so it runs alone, with perhaps an INSERT behind it. */
  truncate(hostname: string | undefined): void {
    if (this.#open.size > 0) return;
    const slot = -1;
    this.#run(slot, (tx) => () => {
      for (const gone of this.rows.keys()) this.#set(tx, gone, undefined);
      tx.notifications.push({ channel: INVALIDATIONS_CHANNEL, payload: '{"op":"read"}' });
      return undefined;
    });
    if (hostname !== undefined) this.insert(slot, hostname, 'fail');
    this.commit(slot);
  }

  commit(slot: number): void {
    const tx = this.#open.get(slot);
    if (tx === undefined || tx.waiting !== undefined) return;
    for (const [hostname, row] of tx.rows) this.#apply(hostname, row);
    for (const [hostname, row] of tx.states) this.#remember(hostname, row);
    this.#open.delete(slot);
    this.#backUp();
    this.notify(distinct(tx.notifications));
    this.#wakeWaiting();
  }

  rollBack(slot: number): void {
    const tx = this.#open.get(slot);
    if (tx === undefined) return;
    this.#rollBack(tx);
    this.#wakeWaiting();
  }

  /** Ends every transaction. Some wait for others, so it goes around until none is open. */
  commitAll(): void {
    while (this.#open.size > 0) for (const slot of [...this.#open.keys()]) this.commit(slot);
  }

  /** A change with the triggers off: no version, no notification. */
  changeSilently(hostname: string): void {
    if (this.#locked(hostname)) return;
    const row = this.rows.get(hostname);
    this.#commitSilently(hostname, this.#row(hostname, row?.version ?? 0));
  }

  deleteSilently(hostname: string): void {
    if (!this.#locked(hostname)) this.#commitSilently(hostname, undefined);
  }

  /**
   * The database silently goes back by some commits: a restored backup, or a failover to a standby
   * that had not received them. Versions are handed out again, `ahead` beyond the backup's last.
   */
  goBack(commits: number, ahead: number): void {
    const backup = this.#backups[Math.max(0, this.#backups.length - 1 - commits)];
    if (backup === undefined) throw new Error('the first backup is made at the start');
    this.#open.clear();
    this.#rewritten = true;
    this.rows = new Map(backup.rows);
    this.sequence = backup.sequence + ahead;
  }

  setSequenceBack(by: number): void {
    this.#rewritten = true;
    this.sequence = Math.max(1, this.sequence - by);
  }

  /**
   * Whether a subscriber may, for a moment, see an older state of this hostname after a newer one.
   */
  mayGoBack(hostname: string): boolean {
    return this.#rewritten || this.#crossed.has(hostname);
  }

  #run(slot: number, begin: (tx: Transaction) => Attempt): void {
    const tx = this.#open.get(slot) ?? this.#begin(slot);
    if (tx.waiting === undefined) this.#attempt(tx, begin(tx));
    this.#wakeWaiting();
  }

  #begin(slot: number): Transaction {
    const tx: Transaction = {
      rows: new Map(),
      locks: new Set(),
      states: [],
      notifications: [],
      waiting: undefined,
    };
    this.#open.set(slot, tx);
    return tx;
  }

  /** Leaves the transaction waiting, unless that is a deadlock. */
  #attempt(tx: Transaction, attempt: Attempt): void {
    const holder = attempt();
    tx.waiting = holder && { attempt, holder };
    for (let next = holder; next !== undefined; next = next.waiting?.holder) {
      if (next === tx) {
        this.#rollBack(tx);
        return;
      }
    }
  }

  /** A transaction waits as long as the one it waits for is open. */
  #wakeWaiting(): void {
    for (let woken = true; woken;) {
      woken = false;
      for (const tx of [...this.#open.values()]) {
        if (tx.waiting === undefined || this.#isOpen(tx.waiting.holder)) continue;
        this.#attempt(tx, tx.waiting.attempt);
        woken = true;
      }
    }
  }

  #rollBack(tx: Transaction): void {
    tx.waiting = undefined;
    for (const [slot, open] of this.#open) if (open === tx) this.#open.delete(slot);
  }

  #isOpen(tx: Transaction): boolean {
    return [...this.#open.values()].includes(tx);
  }

  #locked(hostname: string): boolean {
    return [...this.#open.values()].some((tx) => tx.locks.has(hostname));
  }

  #holder(asking: Transaction, hostname: string): Transaction | undefined {
    return [...this.#open.values()].find((tx) => tx !== asking && tx.locks.has(hostname));
  }

  #visible(tx: Transaction, hostname: string): VmRow | undefined {
    return tx.rows.has(hostname) ? tx.rows.get(hostname) : this.rows.get(hostname);
  }

  /** The trigger's `greatest(nextval(sequence), OLD.version + 1)`. */
  #next(tx: Transaction, hostname: string): number {
    return Math.max(++this.sequence, (this.#visible(tx, hostname)?.version ?? 0) + 1);
  }

  #write(tx: Transaction, hostname: string, version: number, sent: 'row' | 'invalidation'): void {
    const row = this.#row(hostname, version);
    this.#set(tx, hostname, row);
    tx.notifications.push(
      sent === 'row' ? { channel: ROWS_CHANNEL, payload: row.row } : readInvalidation(hostname),
    );
  }

  #remove(tx: Transaction, hostname: string): void {
    this.#set(tx, hostname, undefined);
    tx.notifications.push(readInvalidation(hostname));
  }

  #set(tx: Transaction, hostname: string, row: VmRow | undefined): void {
    tx.locks.add(hostname);
    tx.rows.set(hostname, row);
    tx.states.push([hostname, row]);
  }

  #commitSilently(hostname: string, row: VmRow | undefined): void {
    this.#apply(hostname, row);
    this.#remember(hostname, row);
    this.#backUp();
  }

  #apply(hostname: string, row: VmRow | undefined): void {
    if (row === undefined) this.rows.delete(hostname);
    else this.rows.set(hostname, row);
  }

  #remember(hostname: string, row: VmRow | undefined): void {
    this.history.get(hostname)?.push(row?.row);
    if (row === undefined) return;
    const highest = this.#highest.get(hostname) ?? -1;
    if (row.version < highest) this.#crossed.add(hostname);
    this.#highest.set(hostname, Math.max(highest, row.version));
  }

  #backUp(): void {
    this.#backups.push({ rows: new Map(this.rows), sequence: this.sequence });
  }

  /** No two states are alike: each has a status of its own. */
  #row(hostname: string, version: number): VmRow {
    const status = `state ${++this.#texts}`;
    const row = JSON.stringify({ hostname, version, status });
    return { hostname, version, status, assignmentId: null, row };
  }
}

function readInvalidation(hostname: string): Notification {
  return { channel: INVALIDATIONS_CHANNEL, payload: JSON.stringify({ op: 'read', hostname }) };
}

/** PostgreSQL sends identical notifications of one transaction once, where the first stood. */
function distinct(notifications: readonly Notification[]): Notification[] {
  const sent = new Set<string>();
  return notifications.filter(({ payload }) => !sent.has(payload) && sent.add(payload));
}
