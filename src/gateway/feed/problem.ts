// The one reason why the feed is not live, in words for an operator. Failures are recorded here as
// they happen, and one rule chooses among them. Pure: no I/O, no timers.
//
// The rule: the failure nearest to the connection is the reason, because it explains the others.
// Without a connection no heartbeat arrives, and what refuses heartbeats refuses reads.

import type { MissReason } from './heartbeat.js';

const MISSED: Readonly<Record<MissReason | 'queue-full', string>> = {
  lost:
    'A heartbeat sent through the pool did not reach the listener. A pooler in transaction mode ' +
    'does not deliver notifications: set LISTEN_DATABASE_URL to the server itself.',
  silent:
    'A heartbeat sent through the pool did not reach the listener, although earlier ones did. The ' +
    'LISTEN connection leads nowhere or to another server; it is being replaced.',
  busy:
    'The gateway got too little CPU to receive its heartbeat in time: the process stood still for ' +
    'seconds. Look at the load of the machine and its CPU limit.',
  unanswered: 'The database does not answer queries.',
  failed: 'The database refuses queries.',
  'queue-full':
    "The server's queue of notifications is full, because a listening session does not read. " +
    'The log names the sessions that may be ended.',
};

const SPLIT =
  "The database's address led to another server than LISTEN is connected to. " +
  'All connections are being replaced; if this repeats, let every address lead to one server.';

export class FeedProblem {
  #reached = false;
  #disconnected = false;
  #missed: MissReason | 'queue-full' | undefined;
  #readFailure: string | undefined;
  #split = false;

  /** The feed is live: no earlier failure matters. */
  clear(): void {
    this.#disconnected = false;
    this.#missed = undefined;
    this.#readFailure = undefined;
    this.#split = false;
  }

  recordConnection(): void {
    this.#reached = true;
    this.#disconnected = false;
  }

  /** Connections lead to different servers; stays the reason until the feed is live. */
  recordSplit(): void {
    this.#split = true;
  }

  /** Replaces the failures that were recorded on the lost connection. */
  recordDisconnection(): void {
    this.clear();
    this.#reached = true;
    this.#disconnected = true;
  }

  recordHeartbeat(): void {
    this.#missed = undefined;
  }

  recordMissedHeartbeat(reason: MissReason | 'queue-full'): void {
    this.#missed = reason;
  }

  /** @param reason in words for an operator. */
  recordFailedRead(reason = 'The table could not be read.'): void {
    this.#readFailure = reason;
  }

  /** The reason, as long as the feed is not live. */
  get reason(): string {
    if (this.#split) return SPLIT;
    if (this.#disconnected) return 'The LISTEN connection to the database is down.';
    if (this.#missed !== undefined) return MISSED[this.#missed];
    if (this.#readFailure !== undefined) return this.#readFailure;
    return this.#reached
      ? 'The table is being read, and LISTEN is being verified.'
      : 'The database has not been reached yet.';
  }
}
