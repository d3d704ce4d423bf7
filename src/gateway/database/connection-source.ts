// Where a transaction gets its connection from: a pool, or one request's share of it.

import type pg from 'pg';

/** Hands out connections. A pool is one. */
export interface ConnectionSource {
  /** Returns a connection, which its user releases. */
  connect(): Promise<pg.PoolClient>;
  /** The pool that the connections belong to; undefined if this is the pool. */
  readonly sharedPool?: pg.Pool;
}
