// Applies migrations: the SQL and the record of each in one transaction, under a lock that ends
// with it. A database with a table vms and no record gets all migrations in one transaction, so
// that a failure leaves it unchanged.

import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { toSchemaError, isLockConflict, createLockedError } from './failure.js';
import type { GuardedMigrations, Migration } from './migration-files.js';
import { selectPending } from './pending.js';
import { createRecord, readBearing, readRecord, recordBearing, recordMigration } from './record.js';
import { SchemaError } from './schema-error.js';

/** How long migrations wait for locks. */
export interface LockWaitPolicy {
  /** The lock_timeout of a statement. Every user of `vms` queues behind a statement that waits. */
  readonly timeoutMs: number;
  /** The pause between two attempts, in which the others proceed. */
  readonly pauseMs: number;
  readonly attempts: number;
}

/**
 * An advisory lock of the transaction: behind a transaction pooler, a session and its locks pass to
 * another client. The number is "labl" in ASCII.
 */
const MIGRATION_LOCK = 0x6c61626c;

/** A migration may rewrite a large table; after this time the server is assumed to be gone. */
const MIGRATION_TIMEOUT_MS = 15 * 60_000;

/**
 * Makes the transaction independent of settings of the role and the database, and of timeouts. The
 * server looks twice a second whether this process is still there, and rolls back if it is not;
 * PostgreSQL 13 cannot.
 */
const BEGIN = `
  BEGIN;
  SET LOCAL search_path = pg_catalog;
  SET LOCAL "TimeZone" = 'UTC';
  SET LOCAL statement_timeout = 0;
  SET LOCAL idle_in_transaction_session_timeout = 0;
  SET LOCAL client_min_messages = warning;
  DO $$ BEGIN
    PERFORM set_config('client_connection_check_interval', '500', true);
  EXCEPTION WHEN OTHERS THEN NULL;
  END $$;
  SET LOCAL lock_timeout = `;

/**
 * Applies the first pending migration, or all of them to a table `vms` that has no record yet.
 *
 * @returns their names; empty if another gateway was faster.
 * @throws SchemaError if the schema cannot be migrated; an error of `pg` if the connection is lost.
 */
export async function applyNext(
  client: pg.Client,
  migrations: GuardedMigrations,
  lockWait: LockWaitPolicy,
): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(client, lockWait.timeoutMs, () => applyFirst(client, migrations));
    } catch (error) {
      if (!isLockConflict(error)) throw error;
      if (attempt >= lockWait.attempts)
        throw await createLockedError(client, MIGRATION_LOCK, error);
      await pause(lockWait.pauseMs);
    }
  }
}

/** Reads the record again under the lock, because another gateway may have migrated meanwhile. */
async function applyFirst(
  client: pg.Client,
  { guard, migrations }: GuardedMigrations,
): Promise<string[]> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  const record = await readRecord(client);
  const pending = selectPending(migrations, record, await readBearing(client));
  if (pending instanceof SchemaError) throw pending;
  if (pending.length === 0) return [];
  if (guard !== undefined) await run(client, guard);
  await createRecord(client);
  const isFirstInstall = record.length === 0 && (await hasTable(client));
  const next = isFirstInstall ? pending : pending.slice(0, 1);
  for (const migration of next) {
    await run(client, migration);
    await recordMigration(client, migration);
    await recordBearing(client, migration);
  }
  return next.map(({ name }) => name);
}

async function hasTable(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    "SELECT to_regclass('public.vms') IS NOT NULL AS there",
  );
  return rows[0]?.there === true;
}

async function run(client: pg.Client, script: Pick<Migration, 'name' | 'sql'>): Promise<void> {
  try {
    await client.query(withDeadline(script.sql, MIGRATION_TIMEOUT_MS));
  } catch (error) {
    throw toSchemaError(error, script);
  }
}

/** Adds a deadline to one query: pg supports `query_timeout` here, its types do not. */
const withDeadline = (text: string, timeoutMs: number): pg.QueryConfig =>
  Object.assign({ text }, { query_timeout: timeoutMs });

async function inTransaction<T>(
  client: pg.Client,
  lockTimeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  await client.query(`${BEGIN}${lockTimeoutMs}`);
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // This fails on a broken connection, where the server has rolled back by itself.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
