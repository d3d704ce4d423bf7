// Runs a query with an idle timeout instead of a total one: it fails only if no row arrives for a
// while. Reading a whole table over a slow connection takes minutes.

import pg from 'pg';
import { runLongRead } from './transaction.js';

/** The limits of a query. */
export interface IdleTimeoutOptions {
  /** Aborts the query and closes its connection. */
  readonly signal?: AbortSignal;
  /** The longest time without a row, in ms; 15,000 by default. */
  readonly idleTimeoutMs?: number;
}

const IDLE_TIMEOUT_MS = 15_000;
/** The longest delay of `setTimeout`; a longer one fires immediately. */
const MAX_TOTAL_MS = 2 ** 31 - 1;

/**
 * Runs a query, and returns its rows.
 * @throws Error if no row arrives within the idle timeout, the signal aborts, or the query fails
 */
export async function queryWithIdleTimeout<R extends pg.QueryResultRow>(
  pool: pg.Pool,
  text: string,
  values: unknown[],
  options: IdleTimeoutOptions,
): Promise<R[]> {
  return runLongRead(pool, (client) => {
    options.signal?.throwIfAborted();
    return runQuery<R>(client, text, values, options);
  });
}

async function runQuery<R extends pg.QueryResultRow>(
  client: pg.ClientBase,
  text: string,
  values: unknown[],
  { signal, idleTimeoutMs = IDLE_TIMEOUT_MS }: IdleTimeoutOptions,
): Promise<R[]> {
  let giveUp: (reason: Error) => void = () => undefined;
  const abort = (): void => giveUp(new Error('the query was aborted'));
  const silence = setTimeout(() => giveUp(new Error('Query read timeout')), idleTimeoutMs);
  signal?.addEventListener('abort', abort);
  try {
    return await new Promise<R[]>((resolve, reject) => {
      giveUp = reject;
      const query = new pg.Query<R>(text, values, (error, result) => {
        if (error) reject(error);
        else resolve(result.rows);
      });
      query.on('row', () => silence.refresh());
      // Replaces the pool's total timeout: pg reads `query_timeout` from the query itself.
      client.query(Object.assign(query, { query_timeout: MAX_TOTAL_MS }));
    });
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', abort);
  }
}
