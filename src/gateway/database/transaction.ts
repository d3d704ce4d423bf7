// Transactions: what they change carries the name of who asked, they wait for nobody for long, and a connection that
// failed in one is not used again.

import pg from 'pg';

/** Who asks for a change, and in which request: recorded with it in `vm_events`. */
export interface Actor {
  readonly name: string;
  readonly requestId: string;
}

/**
 * How long a statement waits for a lock, and how long it may take in all. Set inside of the transaction, because a
 * setting of the session would stay on the server's connection behind a transaction pooler.
 */
const DEADLINES = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '10s'";

/**
 * Does `work` in a transaction: committed when it resolves, undone when it rejects. Each of its statements sees what was
 * committed before it began, whatever the database's default: who waited for a lock must see what its holder did.
 */
export function runWriteTransaction<T>(
  pool: pg.Pool,
  { name, requestId }: Actor,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  return runTransaction(pool, 'BEGIN ISOLATION LEVEL READ COMMITTED', async (client) => {
    await client.query(
      `SELECT set_config('lablink.actor', $1, true), set_config('lablink.request_id', $2, true)`,
      [name, requestId],
    );
    return work(client);
  });
}

/** Does one query with a deadline that the server holds, so that nothing goes on there after its asker gave up. */
export function runReadQuery<R extends pg.QueryResultRow>(
  pool: pg.Pool,
  sql: string,
  values: readonly unknown[],
): Promise<R[]> {
  return runTransaction(
    pool,
    'BEGIN READ ONLY',
    async (client) => (await client.query<R>(sql, [...values])).rows,
  );
}

async function runTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  // The query under way fails too when the connection breaks; without a listener the process would end.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  let broken = true;
  try {
    await client.query(`${begin}; ${DEADLINES}`);
    const result = await work(client);
    await client.query('COMMIT');
    broken = false;
    return result;
  } catch (error) {
    // Only a server that answered is asked again: one that is silent would have another deadline to keep.
    broken = !(error instanceof pg.DatabaseError && (await rollBack(client)));
    throw error;
  } finally {
    client.off('error', ignore);
    client.release(broken);
  }
}

async function rollBack(client: pg.ClientBase): Promise<boolean> {
  try {
    await client.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}
