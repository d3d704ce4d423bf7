// Verifies that every query reaches the server that LISTEN is connected to. An address can move to
// another server while connections to the old one stay up; then changes would be written where
// nothing listens. Each transaction reads the identity of its server before it does anything.

import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';

/**
 * The server's start and the database, which every role may read. Two servers never share the
 * microsecond of their start, not even a primary and its standby. A restart, which changes it, ends
 * all connections anyway. A pooler between does not hide it.
 */
export const SERVER_IDENTITY = `(
  SELECT concat_ws('.', (1e6 * extract(epoch FROM pg_catalog.pg_postmaster_start_time()))::int8, oid)
  FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`;

/** Whether a transaction may change rows for a client. */
export type Access = 'read' | 'write';

/** A query reached another server than LISTEN. It has the code of a failed connection. */
export class SplitError extends Error {
  override readonly name = 'SplitError';
  readonly code = '08001';
  constructor() {
    super('the connection leads to another server than LISTEN');
  }
}

/** Knows the server of LISTEN, and compares others with it. */
export class ServerCheck {
  #listening: string | undefined;
  /** A query reached another server, and no heartbeat has arrived since. */
  #isSplit = false;

  /** @param onSplit called when a query reached another server; must not throw. */
  constructor(private readonly onSplit: () => void) {}

  /**
   * A heartbeat from this server arrived at LISTEN, or LISTEN is lost: undefined.
   * @returns whether the server is another one than that of the last heartbeat
   */
  setListening(identity: string | undefined): boolean {
    const moved = this.#listening !== identity;
    this.#listening = identity;
    if (identity !== undefined) this.#isSplit = false;
    return moved;
  }

  /**
   * After a split no change is made before a heartbeat has arrived: other connections may lead to
   * the former server too. Reads go on, because the heartbeat itself is one.
   * @throws SplitError if this is not the server of LISTEN
   */
  verify(identity: string, access: Access): void {
    if (this.#isSplit && access === 'write') throw new SplitError();
    if (this.#listening === undefined || this.#listening === identity) return;
    this.#listening = undefined;
    this.#isSplit = true;
    this.onSplit();
    throw new SplitError();
  }
}

const checks = new WeakMap<ConnectionSource, ServerCheck>();

/** Makes every transaction of the pool verify its server. */
export function checkServers(pool: pg.Pool, check: ServerCheck): void {
  checks.set(pool, check);
}

/** @throws SplitError if this is not the server of LISTEN, and the pool's servers are checked */
export function verifyServer(pool: ConnectionSource, identity: string, access: Access): void {
  checks.get(pool)?.verify(identity, access);
}
