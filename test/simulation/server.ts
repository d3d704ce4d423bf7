// The modelled PostgreSQL server: its sessions, its limits, its locks with their timeouts, and the
// states in which it refuses what is asked of it.

import { Database, Transaction, type Attempt, type Notification } from './database.js';
import type { Ledger } from './ledger.js';
import type { Link } from './link.js';
import { SqlError } from './sql-error.js';
import type { Timer, VirtualTime } from './virtual-time.js';

export interface StatementContext {
  readonly server: Server;
  readonly session: ServerSession;
  readonly tx: Transaction;
  readonly values: readonly unknown[];
}

export interface Statement {
  /** Returns pg's result, or the transaction to wait for. Throws SqlError. */
  readonly run: (context: StatementContext) => Transaction | { rows: readonly object[] } | object[];
}

export type Respond = (error: SqlError | undefined, results: unknown) => void;

/** A session of the server, with the transaction that it is in. */
export class ServerSession {
  readonly channels = new Set<string>();
  tx: Transaction | undefined;
  /** From `SET LOCAL` of the transaction. */
  lockTimeoutMs = Infinity;
  statementTimeoutMs = Infinity;
  rowSecurityOff = false;
  isBusy = false;
  isClientGone = false;
  onNotification: (channel: string, payload: string) => void = () => undefined;

  constructor(
    readonly server: Server,
    readonly link: Link,
    /** The gateway that connected. */
    readonly owner: string,
  ) {}
}

/** Why the server refuses to let the gateway read the table. */
export type Refusal = 'row-security' | 'no-right' | 'no-schema' | 'no-column' | 'read-only';

let identities = 0;

export class Server {
  readonly identity = `${++identities}.5`;
  readonly database: Database;
  readonly sessions = new Set<ServerSession>();
  readonly refusals = new Set<Refusal>();
  /** Connections are refused. */
  isDown = false;
  /** Nothing is answered, and nothing happens. */
  isFrozen = false;
  /** Every commit with a notification fails. */
  isQueueFull = false;
  /** The most sessions of the gateways' role. */
  connectionLimit = Infinity;
  /** Texts outside of it cannot be stored. */
  encoding: 'UTF8' | 'LATIN1' = 'UTF8';
  /** The constraint of another program rejects this status. */
  rejectedStatus: string | undefined;
  /** Calls that arrived while the server was frozen. */
  readonly #frozen: (() => void)[] = [];

  constructor(
    readonly time: VirtualTime,
    readonly ledger: Ledger,
    private readonly findStatement: (text: string) => Statement,
  ) {
    this.database = new Database(time, ledger, (notifications) => this.#notify(notifications));
  }

  connect(link: Link, owner: string): ServerSession | SqlError {
    if (this.sessions.size >= this.connectionLimit)
      return new SqlError('53300', 'too many connections for role');
    const session = new ServerSession(this, link, owner);
    this.sessions.add(session);
    link.server = this;
    link.onServerBroken = () => this.#loseClient(session);
    return session;
  }

  /** Runs now, or once the server is no longer frozen. */
  whenAwake(run: () => void): void {
    if (this.isFrozen) this.#frozen.push(run);
    else run();
  }

  thaw(): void {
    this.isFrozen = false;
    for (const run of this.#frozen.splice(0)) run();
  }

  execute(
    session: ServerSession,
    text: string,
    values: readonly unknown[],
    respond: Respond,
  ): void {
    if (!this.sessions.has(session)) return;
    session.isBusy = true;
    const finish: Respond = (error, results) => {
      session.isBusy = false;
      if (!this.sessions.has(session)) return;
      if (session.isClientGone) this.close(session);
      else respond(error, results);
    };
    const statement = this.findStatement(text);
    this.#run(session, statement, values, finish);
  }

  close(session: ServerSession): void {
    this.sessions.delete(session);
    if (session.tx !== undefined) this.database.rollBack(session.tx);
    session.tx = undefined;
    session.link.closeByServer();
  }

  /** Ends all sessions, as a crash or a shutdown does. */
  endSessions(): void {
    for (const session of [...this.sessions]) this.close(session);
    for (const tx of [...this.database.open]) this.database.rollBack(tx);
  }

  #run(
    session: ServerSession,
    statement: Statement,
    values: readonly unknown[],
    finish: Respond,
  ): void {
    const tx = session.tx ?? new Transaction();
    const deadline: { timer?: Timer } = {};
    let isDone = false;
    const done: Respond = (error, results) => {
      if (isDone) return;
      isDone = true;
      if (deadline.timer !== undefined) deadline.timer.cancelled = true;
      tx.waiting = undefined;
      finish(error, results);
    };
    const attempt: Attempt = () => {
      if (isDone) return undefined;
      try {
        const outcome = statement.run({ server: this, session, tx, values });
        if (outcome instanceof Transaction) return outcome;
        done(undefined, outcome);
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        done(error, undefined);
      }
      return undefined;
    };
    this.database.perform(tx, attempt, () =>
      done(new SqlError('40P01', 'deadlock detected'), undefined),
    );
    if (tx.waiting === undefined) return;
    this.ledger.count('state: a statement waited for a lock');
    const isLock = session.lockTimeoutMs <= session.statementTimeoutMs;
    const timeoutMs = Math.min(session.lockTimeoutMs, session.statementTimeoutMs);
    if (timeoutMs === Infinity) return;
    deadline.timer = this.time.outside(timeoutMs, () =>
      done(
        isLock
          ? new SqlError('55P03', 'canceling statement due to lock timeout')
          : new SqlError('57014', 'canceling statement due to statement timeout'),
        undefined,
      ),
    );
  }

  /** A backend notices only between two statements that its client has gone. */
  #loseClient(session: ServerSession): void {
    session.isClientGone = true;
    if (!session.isBusy) this.close(session);
  }

  #notify(notifications: readonly Notification[]): void {
    for (const { channel, payload } of notifications)
      if (channel === 'vm_updates') this.ledger.sent.push(payload);
    for (const session of this.sessions) {
      for (const { channel, payload } of notifications) {
        if (session.channels.has(channel))
          session.link.toClient(() => session.onNotification(channel, payload));
      }
    }
  }
}
