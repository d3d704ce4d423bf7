// The modelled database: the table `vms` with the triggers' versions, assignments and
// notifications, under overlapping READ COMMITTED transactions. The order of events is
// PostgreSQL's: a statement takes its version before an INSERT waits for the transaction that holds
// its hostname; a change and its notifications appear at commit, together; a rollback leaves only a
// gap in the sequence.

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { INVALIDATIONS_CHANNEL, ROWS_CHANNEL } from '../../src/gateway/feed/notification.js';
import type { Ledger } from './ledger.js';
import { randomUuid, type VirtualTime } from './virtual-time.js';

export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

export interface Row {
  readonly id: string;
  readonly hostname: string;
  readonly status: string;
  readonly email: string | null;
  readonly command: string | null;
  readonly version: number;
  readonly assignmentId: string | null;
  /** Its `updated_at`: no two states of a history share it. */
  readonly stamp: string;
  /** The row as `row_to_json` writes it. */
  readonly text: string;
  /** A value is no text in the client's encoding: a query that returns the row fails. */
  readonly isUnreadable: boolean;
}

/** The columns that a change sets. */
export interface Change {
  readonly hostname?: string;
  readonly status?: string;
  readonly email?: string | null;
  readonly command?: string | null;
  /** Too large for a payload: an invalidation is sent in place of the row. */
  readonly isLarge?: boolean;
}

export interface Delivery {
  readonly hostname: string;
  readonly isAdopted: boolean;
  readonly acknowledged: boolean;
}

/** The lease of a gateway. */
export interface LeaseRow {
  readonly leaseUntilMs: number;
}

export interface PresenceRecord {
  readonly hostname: string;
  readonly gateway: string;
  readonly online: boolean;
  readonly sinceMs: number;
}

/** Everything that a server stores: a standby or a backup has a copy. */
export interface Contents {
  rows: Map<string, Row>;
  sequence: number;
  key: KeyObject;
  /** Changes whenever a trigger or its function does. */
  triggers: number;
  deliveries: Map<string, Delivery>;
  leases: Map<string, LeaseRow>;
  presence: Map<string, PresenceRecord>;
}

/** Tries a statement: returns the transaction to wait for, or undefined once it is done. */
export type Attempt = () => Transaction | undefined;

export class Transaction {
  readonly rows = new Map<string, Row | undefined>();
  readonly locks = new Set<string>();
  readonly states: [hostname: string, row: Row | undefined][] = [];
  readonly notifications: Notification[] = [];
  /** What else becomes visible at commit. */
  readonly effects: (() => void)[] = [];
  /** Holds the whole table: every other statement about it waits. */
  holdsTable = false;
  isOpen = true;
  /** It changed rows while the triggers were off. */
  isSilent = false;
  waiting:
    { attempt: Attempt; holder: Transaction; failed: (deadlock: boolean) => void } | undefined;
}

export class Database {
  contents: Contents;
  readonly open = new Set<Transaction>();
  /** Changes send no notifications and take no versions. */
  triggersOff = false;
  /** The latest backups or the state of a standby, the oldest first. */
  readonly backups: Contents[] = [];
  #ids = 0;

  /** @param notify called with the notifications of each commit, in the order of commits. */
  constructor(
    private readonly time: VirtualTime,
    private readonly ledger: Ledger,
    private readonly notify: (notifications: readonly Notification[]) => void,
  ) {
    this.contents = {
      rows: new Map(),
      sequence: 0,
      key: this.#makeKey(),
      triggers: 1,
      deliveries: new Map(),
      leases: new Map(),
      presence: new Map(),
    };
  }

  begin(): Transaction {
    const tx = new Transaction();
    this.open.add(tx);
    return tx;
  }

  /** Runs a statement; it waits for the transaction that holds what it needs. */
  perform(tx: Transaction, attempt: Attempt, failed: (deadlock: boolean) => void): void {
    const holder = attempt();
    tx.waiting = holder && { attempt, holder, failed };
    for (let next = holder; next !== undefined; next = next.waiting?.holder) {
      if (next !== tx) continue;
      this.rollBack(tx);
      failed(true);
      return;
    }
  }

  /** The transaction that keeps this one from the table. */
  findTableHolder(asking: Transaction): Transaction | undefined {
    for (const tx of this.open) if (tx !== asking && tx.holdsTable) return tx;
    return undefined;
  }

  commit(tx: Transaction): void {
    if (!tx.isOpen || tx.waiting !== undefined) {
      this.rollBack(tx);
      return;
    }
    this.#close(tx);
    if (tx.states.length > 0) this.#backUp();
    for (const [hostname, row] of tx.rows) this.#apply(hostname, row);
    for (const [hostname, row] of tx.states) this.ledger.record(hostname, row?.stamp, row?.version);
    if (tx.isSilent) this.ledger.markSilent(this.time.nowMs);
    for (const effect of tx.effects) effect();
    if (tx.notifications.length > 0) this.notify(distinct(tx.notifications));
    this.#wake();
  }

  rollBack(tx: Transaction): void {
    if (!tx.isOpen) return;
    this.#close(tx);
    this.#wake();
  }

  /** Takes its version first; then the row waits for the transaction that holds its hostname. */
  insert(tx: Transaction, hostname: string, failed: () => void): Attempt {
    const version = ++this.contents.sequence;
    return () => {
      const holder = this.#findHolder(tx, hostname);
      if (holder !== undefined) return holder;
      if (this.#find(tx, hostname) === undefined) {
        const id = String(++this.#ids);
        this.#write(tx, undefined, { id, hostname, version }, {});
      } else failed();
      return undefined;
    };
  }

  update(
    tx: Transaction,
    hostname: string,
    change: Change,
    done: (row: Row | undefined) => void,
  ): Attempt {
    let version: number | undefined;
    return () => {
      const { hostname: target = hostname } = change;
      const holder = this.#findHolder(tx, hostname);
      if (holder !== undefined) return holder;
      const before = this.#find(tx, hostname);
      if (before === undefined) {
        done(undefined);
        return undefined;
      }
      version ??= this.triggersOff
        ? before.version
        : Math.max(++this.contents.sequence, before.version + 1);
      if (target !== hostname) {
        // The old row is locked while the new hostname is waited for.
        tx.locks.add(hostname);
        const other = this.#findHolder(tx, target);
        if (other !== undefined) return other;
        if (this.#find(tx, target) !== undefined) {
          done(undefined);
          return undefined;
        }
      }
      this.#write(tx, before, { id: before.id, hostname: target, version }, change);
      done(before);
      return undefined;
    };
  }

  delete(tx: Transaction, hostname: string): Attempt {
    return () => {
      const holder = this.#findHolder(tx, hostname);
      if (holder !== undefined) return holder;
      if (this.#find(tx, hostname) === undefined) return undefined;
      this.#set(tx, hostname, undefined);
      if (!this.triggersOff) tx.notifications.push(formatInvalidation(hostname));
      return undefined;
    };
  }

  /** Reads the committed row. */
  lockRow(tx: Transaction, hostname: string): Attempt {
    return () => {
      const holder = this.#findHolder(tx, hostname);
      if (holder === undefined) tx.locks.add(hostname);
      return holder;
    };
  }

  /** Puts back an earlier state: a backup, or a standby that lacks the last commits. */
  goBack(commits: number, ahead: number): void {
    const backup = this.backups[Math.max(0, this.backups.length - commits)];
    if (backup !== undefined) this.replace({ ...copy(backup), sequence: backup.sequence + ahead });
  }

  /** Takes over what another server stores, less its last commits. */
  adoptFrom(other: Database, lostCommits: number, ahead: number): void {
    this.#ids = other.#ids;
    this.contents = other.contents;
    this.backups.push(...other.backups);
    if (lostCommits > 0) this.goBack(lostCommits, ahead);
    else this.contents = { ...copy(other.contents), sequence: other.contents.sequence + ahead };
  }

  /** The table is dropped and created again, with these rows of before. */
  recreate(kept: readonly Row[]): void {
    const rows = new Map<string, Row>();
    let sequence = 0;
    for (const row of kept) {
      const next = this.#format({
        ...row,
        version: ++sequence,
        assignmentId: null,
        status: 'available',
        email: null,
        command: null,
      });
      rows.set(next.hostname, next);
    }
    const triggers = this.contents.triggers + 1;
    this.replace({ ...copy(this.contents), rows, sequence, triggers, key: this.#makeKey() });
  }

  replace(contents: Contents): void {
    const before = this.contents;
    for (const tx of [...this.open]) this.rollBack(tx);
    this.contents = contents;
    this.ledger.rewrite();
    for (const hostname of new Set([...before.rows.keys(), ...contents.rows.keys()])) {
      const row = contents.rows.get(hostname);
      if (row?.stamp !== before.rows.get(hostname)?.stamp)
        this.ledger.record(hostname, row?.stamp, row?.version);
    }
  }

  /** Marks a row: a value of it is no text in the client's encoding, or is one again. */
  setUnreadable(hostname: string, isUnreadable: boolean): void {
    const row = this.contents.rows.get(hostname);
    if (row !== undefined) this.contents.rows.set(hostname, { ...row, isUnreadable });
  }

  /** The assignment stood in the table before the gateway was first installed. */
  adopt(hostname: string): void {
    const id = this.contents.rows.get(hostname)?.assignmentId ?? null;
    if (id === null) return;
    this.contents.deliveries.set(id, { hostname, isAdopted: true, acknowledged: false });
    this.ledger.adopted.add(id);
  }

  #makeKey(): KeyObject {
    return createSecretKey(
      Buffer.from(Array.from({ length: 32 }, () => this.time.random.below(256))),
    );
  }

  #close(tx: Transaction): void {
    tx.isOpen = false;
    tx.waiting = undefined;
    this.open.delete(tx);
  }

  /** A transaction waits as long as the one it waits for is open. */
  #wake(): void {
    for (let woken = true; woken;) {
      woken = false;
      for (const tx of [...this.open]) {
        const { waiting } = tx;
        if (waiting === undefined || waiting.holder.isOpen) continue;
        tx.waiting = undefined;
        this.perform(tx, waiting.attempt, waiting.failed);
        woken = true;
      }
    }
  }

  #findHolder(asking: Transaction, hostname: string): Transaction | undefined {
    for (const tx of this.open)
      if (tx !== asking && (tx.holdsTable || tx.locks.has(hostname))) return tx;
    return undefined;
  }

  #find(tx: Transaction, hostname: string): Row | undefined {
    return tx.rows.has(hostname) ? tx.rows.get(hostname) : this.contents.rows.get(hostname);
  }

  /** What the triggers do to a row, and the notifications that they send. */
  #write(
    tx: Transaction,
    before: Row | undefined,
    identity: Pick<Row, 'id' | 'hostname' | 'version'>,
    { status, email, command, isLarge = false }: Change,
  ): void {
    const { hostname } = identity;
    const next = {
      ...identity,
      status: status ?? before?.status ?? 'available',
      email: email === undefined ? (before?.email ?? null) : email,
      command: command === undefined ? (before?.command ?? null) : command,
      isUnreadable: before?.isUnreadable ?? false,
    };
    const assignmentId = this.triggersOff
      ? (before?.assignmentId ?? null)
      : this.#chooseAssignment(before, next);
    const row = this.#format({ ...next, assignmentId });
    if (assignmentId !== null && assignmentId !== before?.assignmentId)
      tx.effects.push(() => {
        this.ledger.made.set(assignmentId, { hostname, command: row.command });
        const delivery = { hostname, isAdopted: false, acknowledged: false };
        this.contents.deliveries.set(assignmentId, delivery);
      });
    if (before !== undefined && before.hostname !== hostname)
      this.#set(tx, before.hostname, undefined);
    this.#set(tx, hostname, row);
    if (this.triggersOff) return;
    tx.notifications.push(
      isLarge || row.isUnreadable
        ? formatInvalidation(hostname)
        : { channel: ROWS_CHANNEL, payload: row.text },
    );
    if (before !== undefined && before.hostname !== hostname)
      tx.notifications.push(formatInvalidation(before.hostname));
  }

  #chooseAssignment(
    before: Row | undefined,
    row: Pick<Row, 'hostname' | 'status' | 'email' | 'command' | 'version'>,
  ): string | null {
    const current = before?.assignmentId ?? null;
    if (row.status === 'available') return null;
    if (row.status !== 'in-use') return current;
    const isNew =
      before?.status !== row.status || before.email !== row.email || before.command !== row.command;
    if (!isNew && current !== null) return current;
    return before?.hostname === row.hostname
      ? makeAssignmentId(this.contents.key, row, this.time.random.below(65_536))
      : randomUuid(this.time);
  }

  #format(row: Omit<Row, 'text' | 'stamp'>): Row {
    const { id, hostname, status, email, command, version, assignmentId } = row;
    const stamp = String(this.ledger.nextStamp());
    return {
      ...row,
      stamp,
      text:
        `{"id":${id},"hostname":${JSON.stringify(hostname)},"status":"${status}",` +
        `"email":${JSON.stringify(email)},"crd_command":${JSON.stringify(command)},` +
        `"updated_at":"${stamp}","version":${version},"assignment_id":${JSON.stringify(assignmentId)}}`,
    };
  }

  #set(tx: Transaction, hostname: string, row: Row | undefined): void {
    tx.locks.add(hostname);
    tx.isSilent ||= this.triggersOff;
    tx.rows.set(hostname, row);
    tx.states.push([hostname, row]);
  }

  #apply(hostname: string, row: Row | undefined): void {
    if (row === undefined) this.contents.rows.delete(hostname);
    else this.contents.rows.set(hostname, row);
  }

  #backUp(): void {
    this.backups.push(copy(this.contents));
    if (this.backups.length > MAX_BACKUPS) this.backups.shift();
  }
}

const MAX_BACKUPS = 4;

export function copy(contents: Contents): Contents {
  return {
    ...contents,
    rows: new Map(contents.rows),
    deliveries: new Map(contents.deliveries),
    leases: new Map(contents.leases),
    presence: new Map(contents.presence),
  };
}

function formatInvalidation(hostname: string): Notification {
  return { channel: INVALIDATIONS_CHANNEL, payload: JSON.stringify({ op: 'read', hostname }) };
}

/** PostgreSQL sends identical notifications of one transaction once, where the first stood. */
function distinct(notifications: readonly Notification[]): readonly Notification[] {
  if (notifications.length < 2) return notifications;
  const sent = new Set<string>();
  return notifications.filter(({ channel, payload }) => {
    const text = channel + payload;
    return !sent.has(text) && sent.add(text);
  });
}

/** The trigger's UUID: schema/README.md has its layout. Hostnames and texts are ASCII here. */
export function makeAssignmentId(
  key: KeyObject,
  { hostname, email, command, version }: Pick<Row, 'hostname' | 'email' | 'command' | 'version'>,
  random: number,
): string {
  const nonce = random.toString(16).padStart(4, '0');
  const lengths = [hostname, email, command].map((text) => text?.length ?? '-').join(':');
  const text = `${version}:${nonce}:${lengths}:${hostname}${email ?? ''}${command ?? ''}`;
  const digest = createHmac('sha256', key).update(text).digest();
  const stamp = version.toString(16).padStart(12, '0');
  const variant = '89ab'.charAt((digest[7] ?? 0) & 3);
  const end = digest.toString('hex', 0, 7);
  return (
    `${stamp.slice(0, 8)}-${stamp.slice(8)}-8${nonce.slice(0, 3)}-` +
    `${variant}${nonce.slice(3)}${end.slice(0, 2)}-${end.slice(2)}`
  );
}
