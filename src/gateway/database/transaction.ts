// Runs transactions. Each change is recorded with its actor, each statement has a timeout on the
// server, each transaction verifies its server, and a broken connection is never used again.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { chooseBackoffMs, type Backoff } from '../../time/backoff.js';
import { isReadOnlyError } from '../../postgres/errors.js';
import type { ConnectionSource } from './connection-source.js';
import { SERVER_IDENTITY, verifyServer, type Access } from './server-identity.js';

/** The identity and the request that make a change; `vm_events` records both. */
export interface Actor {
  readonly name: string;
  readonly requestId: string;
}

/**
 * The timeouts of a statement: for a lock, and in total. They are set inside the transaction,
 * because behind a transaction pooler a setting of the session would stay on the server's
 * connection.
 */
const DEADLINES =
  "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '10s'; " +
  "SET LOCAL idle_in_transaction_session_timeout = '30s'; " +
  // Row security raises an error instead of hiding rows, which would count as deleted.
  'SET LOCAL row_security = off';

/** How often a transaction is tried that the server rolled back in favour of another one. */
const MAX_ATTEMPTS = 3;
const RETRY: Backoff = { baseMs: 50, capMs: 200 };
/** serialization_failure and deadlock_detected: nothing was changed, and a retry may succeed. */
const ROLLED_BACK = /^(40001|40P01)$/;

/**
 * Runs `work` in a transaction, which is committed if `work` resolves and rolled back if it
 * rejects. Each statement sees what was committed before it began, whatever the database's default.
 * After waiting for a lock, it must see the changes of the lock's holder. `work` runs up to three
 * times, if the server ends a deadlock or a conflict of transactions by rolling back.
 */
export async function runWriteTransaction<T>(
  pool: ConnectionSource,
  { name, requestId }: Actor,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED';
      return await runTransaction(pool, begin, 'write', async (client) => {
        await client.query(
          `SELECT set_config('lablink.actor', $1, true), set_config('lablink.request_id', $2, true)`,
          [name, requestId],
        );
        return work(client);
      });
    } catch (error) {
      const isRolledBack = error instanceof pg.DatabaseError && ROLLED_BACK.test(error.code ?? '');
      if (!isRolledBack || attempt >= MAX_ATTEMPTS) throw error;
      await sleep(chooseBackoffMs(RETRY, attempt, Math.random()));
    }
  }
}

/**
 * Runs one query with a timeout on the server, so that it does not continue after its caller has
 * given up.
 */
export function runReadQuery<R extends pg.QueryResultRow>(
  pool: ConnectionSource,
  sql: string,
  values: readonly unknown[],
): Promise<R[]> {
  return runReadTransaction(pool, async (client) => (await client.query<R>(sql, [...values])).rows);
}

/** Runs `work` in a transaction that reads only; each statement has a timeout on the server. */
export function runReadTransaction<T>(
  pool: ConnectionSource,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  return runTransaction(pool, 'BEGIN READ ONLY', 'read', work);
}

/** Runs one statement that may write, with a timeout on the server. */
export function runStatement<R extends pg.QueryResultRow>(
  pool: ConnectionSource,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  return runTransaction(
    pool,
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    'read',
    async (client) => (await client.query<R>(sql, [...values])).rows,
  );
}

/**
 * Runs `work` in a transaction that reads only, whose statements may take ten minutes in total: the
 * caller has an idle timeout.
 */
export function runLongRead<T>(
  pool: ConnectionSource,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  return runTransaction(pool, 'BEGIN READ ONLY', 'read', async (client) => {
    await client.query("SET LOCAL statement_timeout = '10min'");
    return work(client);
  });
}

async function runTransaction<T>(
  pool: ConnectionSource,
  begin: string,
  access: Access,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  // If the connection breaks, the query fails too. Without this listener the process would end.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  let broken = true;
  try {
    verifyServer(pool.sharedPool ?? pool, await beginTransaction(client, begin), access);
    const result = await work(client);
    await client.query('COMMIT');
    broken = false;
    return result;
  } catch (error) {
    // ROLLBACK is sent only if the server has answered, because a silent server would need another
    // timeout. The session of another server is closed, and a read-only one too: it would keep a
    // setting of the role that has been reset.
    const isUsable = error instanceof pg.DatabaseError && !isReadOnlyError(error);
    broken = !(isUsable && (await rollBack(client)));
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

/** Begins the transaction in one round trip, and returns the identity of its server. */
async function beginTransaction(client: pg.ClientBase, begin: string): Promise<string> {
  // Several statements in one query have an array of results, which the types of pg do not know.
  const results: unknown = await client.query(
    `${begin}; ${DEADLINES}; SELECT ${SERVER_IDENTITY} AS server`,
  );
  const last = (results as pg.QueryResult<{ server: string }>[]).at(-1);
  return last?.rows[0]?.server ?? '';
}

async function rollBack(client: pg.ClientBase): Promise<boolean> {
  try {
    await client.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}
