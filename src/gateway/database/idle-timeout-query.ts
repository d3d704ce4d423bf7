// A query whose answer may be long on its way: it fails when nothing more arrives for as long as any other query may
// take, and not because much has to. A whole table over a thin link takes minutes.

import pg from 'pg';

export interface IdleTimeoutOptions {
  /** Ends the query, and the connection with it: nobody waits for its answer any more. */
  readonly signal?: AbortSignal;
  /** How long nothing may arrive. */
  readonly idleTimeoutMs?: number;
}

const IDLE_TIMEOUT_MS = 15_000;
/** More than any answer takes; a longer `setTimeout` fires at once. */
const MAX_TOTAL_MS = 2 ** 31 - 1;

export async function queryWithIdleTimeout<R extends pg.QueryResultRow>(
  pool: pg.Pool,
  text: string,
  values: unknown[],
  options: IdleTimeoutOptions,
): Promise<R[]> {
  const client = await pool.connect();
  // The query under way fails too when the connection breaks; without a listener the process would end.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  let broken = true;
  try {
    options.signal?.throwIfAborted();
    const rows = await runQuery<R>(client, text, values, options);
    broken = false;
    return rows;
  } catch (error) {
    // A server that answered is there, and its connection of use.
    broken = !(error instanceof pg.DatabaseError);
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

async function runQuery<R extends pg.QueryResultRow>(
  client: pg.ClientBase,
  text: string,
  values: unknown[],
  { signal, idleTimeoutMs = IDLE_TIMEOUT_MS }: IdleTimeoutOptions,
): Promise<R[]> {
  let giveUp: (reason: Error) => void = () => undefined;
  const abort = (): void => giveUp(new Error('nobody wants the answer any more'));
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
      // Its own deadline, instead of the pool's for a whole answer: pg looks for one on whatever it is handed.
      client.query(Object.assign(query, { query_timeout: MAX_TOTAL_MS }));
    });
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', abort);
  }
}
