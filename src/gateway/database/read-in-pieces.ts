// Reads a long list in pieces: a cursor keeps the state of one moment, and between two pieces the
// event loop and the database have three times as much time for others as the piece took.

import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import { runReadQuery, runReadTransaction } from './transaction.js';

/** The rows of a piece: about a millisecond of the event loop. */
export const PIECE_ROWS = 100;

/** How much longer than a piece the pause after it is: a list takes a quarter of its time. */
const PAUSE_RATIO = 3;

/** Whether a list of so many items is read in more than one piece. */
export function isLong(limit: number): boolean {
  return limit > PIECE_ROWS;
}

/** A query for at most `maxRows` rows. */
export interface PiecesQuery {
  readonly sql: string;
  readonly values: readonly unknown[];
  readonly maxRows: number;
}

/**
 * Reads rows. A list that fits into a piece is one query.
 * @param project called for each row as soon as its piece is read
 */
export async function readInPieces<R extends pg.QueryResultRow>(
  pool: ConnectionSource,
  { sql, values, maxRows }: PiecesQuery,
  project: (row: R) => R = (row) => row,
): Promise<R[]> {
  // A page reads one row more than it has, to know whether another page follows.
  if (!isLong(maxRows - 1)) return (await runReadQuery<R>(pool, sql, values)).map(project);
  return runReadTransaction(pool, async (client) => {
    await client.query(`DECLARE page NO SCROLL CURSOR FOR ${sql}`, [...values]);
    const projected: R[] = [];
    for (;;) {
      const beganMs = performance.now();
      const { rows } = await client.query<R>(`FETCH ${PIECE_ROWS} FROM page`);
      for (const row of rows) projected.push(project(row));
      if (rows.length < PIECE_ROWS || projected.length >= maxRows) return projected;
      await pause(beganMs);
    }
  });
}

/** Does `work` for a piece of the items at a time, with the same pauses, and joins the results. */
export async function doInPieces<I, T>(
  items: readonly I[],
  work: (piece: readonly I[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const results: T[] = [];
  for (let at = 0; at < items.length; at += PIECE_ROWS) {
    const beganMs = performance.now();
    for (const result of await work(items.slice(at, at + PIECE_ROWS))) results.push(result);
    if (at + PIECE_ROWS < items.length) await pause(beganMs);
  }
  return results;
}

function pause(beganMs: number): Promise<void> {
  return sleep(PAUSE_RATIO * (performance.now() - beganMs));
}
