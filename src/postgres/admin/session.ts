// A connection for a maintenance operation: with a name that operators see in pg_stat_activity,
// with a limit on the wait for a lock, and independent of the settings of its role and database. It
// holds no lock for longer than a second after the end of its process.

import type pg from 'pg';
import { withClient } from '../client.js';
import { MaintenanceError, toMaintenanceError } from './maintenance-error.js';

/**
 * The server looks this often whether its client is still there, also while a statement runs or
 * waits for a lock. PostgreSQL 13 and servers on Windows lack the setting.
 */
const CLIENT_CHECK_MS = 500;

const CHECK_CLIENT = formatOptionalSettings({
  client_connection_check_interval: String(CLIENT_CHECK_MS),
});

/** Sets what the server knows: later versions have more limits. */
function formatOptionalSettings(settings: Readonly<Record<string, string>>): string {
  const sets = Object.entries(settings).map(
    ([name, value]) =>
      `BEGIN PERFORM pg_catalog.set_config('${name}', '${value}', false); EXCEPTION WHEN OTHERS THEN NULL; END;`,
  );
  return `DO $$ BEGIN ${sets.join(' ')} END $$;`;
}

/**
 * While a session waits for a lock, all later sessions wait behind it. Limits that the role or the
 * database sets are for its programs, and would end a backup in the middle.
 */
const SETTINGS = `
  SET TimeZone TO 'UTC'; SET DateStyle TO 'ISO, YMD'; SET lock_timeout TO '5s';
  SET statement_timeout TO 0; SET idle_in_transaction_session_timeout TO 0;
  ${formatOptionalSettings({ idle_session_timeout: '0', transaction_timeout: '0' })} ${CHECK_CLIENT}`;

/**
 * Runs `work` on a connection of its own, named after its purpose.
 *
 * @param signal interrupts the work.
 * @throws MaintenanceError for what the database refused, and for an interrupt; an error of `pg` or
 * of the network when the database cannot be reached
 */
export function withSession<T>(
  connection: pg.ClientConfig,
  purpose: string,
  work: (session: pg.Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return connectFor(connection, purpose, SETTINGS, work, signal);
}

/**
 * Like `withSession`, with the settings of the role and the database, for statements of the
 * operator.
 */
export function withPlainSession<T>(
  connection: pg.ClientConfig,
  purpose: string,
  work: (session: pg.Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return connectFor(connection, purpose, CHECK_CLIENT, work, signal);
}

async function connectFor<T>(
  connection: pg.ClientConfig,
  purpose: string,
  settings: string,
  work: (session: pg.Client) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const config = { ...connection, application_name: `lablink-gateway db ${purpose}` };
  try {
    return await withClient(
      config,
      async (session) => {
        await session.query(settings);
        return await work(session);
      },
      signal,
    );
  } catch (error) {
    if (signal?.aborted && !(error instanceof MaintenanceError)) {
      throw createInterruptedError(error);
    }
    throw toMaintenanceError(error);
  }
}

/** The transaction under way was rolled back. */
export const createInterruptedError = (cause: unknown): MaintenanceError =>
  new MaintenanceError('failed', 'Interrupted: the work under way was undone.', { cause });

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

/**
 * Makes the server roll back this transaction if its process stands still or its machine is gone,
 * so that a lock is not held for ever.
 */
export async function limitIdleTime(session: pg.Client): Promise<void> {
  await session.query(`SET LOCAL idle_in_transaction_session_timeout TO '15s'`);
}

/** Sets the actor that the audit records with each change of the transaction. */
export async function setActor(session: pg.Client, purpose: string): Promise<void> {
  await session.query(`SELECT set_config('lablink.actor', $1, true)`, [`cli:${purpose}`]);
}
