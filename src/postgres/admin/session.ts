// A connection for a maintenance operation: in UTC, with a name that operators see in
// pg_stat_activity, and with a limit on the wait for a lock.

import type pg from 'pg';
import { withClient } from '../client.js';
import { toMaintenanceError } from './maintenance-error.js';

/** While a session waits for a lock, all later sessions wait behind it. */
const LOCK_TIMEOUT = '5s';

/**
 * Runs `work` on a connection of its own, named after its purpose.
 * @throws MaintenanceError for what the database refused; an error of `pg` or of the network when
 * the database cannot be reached
 */
export function withSession<T>(
  connection: pg.ClientConfig,
  purpose: string,
  work: (session: pg.Client) => Promise<T>,
): Promise<T> {
  const config = { ...connection, application_name: `lablink-gateway db ${purpose}` };
  return withClient(config, async (session) => {
    try {
      await session.query(
        `SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO, YMD'; SET lock_timeout TO '${LOCK_TIMEOUT}'`,
      );
      return await work(session);
    } catch (error) {
      throw toMaintenanceError(error);
    }
  });
}

/** Runs `work` in a transaction: runs `end` if it resolves, and rolls back if it rejects. */
export async function inTransaction<T>(
  session: pg.Client,
  begin: string,
  work: () => Promise<T>,
  end: 'COMMIT' | 'ROLLBACK' = 'COMMIT',
): Promise<T> {
  await session.query(begin);
  try {
    const result = await work();
    await session.query(end);
    return result;
  } catch (error) {
    // This fails on a broken connection, where the server has rolled back by itself.
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Returns the row of a query that always returns one. */
export function takeOnlyRow<R extends pg.QueryResultRow>({ rows }: pg.QueryResult<R>): R {
  const [row] = rows;
  if (row === undefined) throw new Error('a query that always returns a row returned none');
  return row;
}

/** Sets the actor that the audit records with each change of the transaction. */
export async function setActor(session: pg.Client, purpose: string): Promise<void> {
  await session.query(`SELECT set_config('lablink.actor', $1, true)`, [`cli:${purpose}`]);
}
