// Applies migrations: the SQL and the record of each in one transaction, under a lock that ends with it. A database
// that has a table vms and no record gets all of them in one transaction: either it is migrated, or it is as it was.

import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { toSchemaError, isLockConflict, createLockedError } from './failure.js';
import type { GuardedMigrations, Migration } from './migration-files.js';
import { selectPending } from './pending.js';
import { createRecord, readRecord, recordMigration } from './record.js';
import { SchemaError } from './schema-error.js';

/** How patiently locks are asked for. */
export interface LockWaitPolicy {
  /** A statement waits this long. All who use `vms` queue up behind one that waits for it. */
  readonly timeoutMs: number;
  /** The others get this long between two attempts. */
  readonly pauseMs: number;
  readonly attempts: number;
}

/**
 * A lock of the transaction, not of the session: behind a transaction pooler a session, and the
 * locks it holds, belong to the next client. The number is "labl" in ASCII.
 */
const MIGRATION_LOCK = 0x6c61626c;

/** A migration may rewrite a large table; one that takes longer waits for an answer that will not come. */
const MIGRATION_TIMEOUT_MS = 15 * 60_000;

/** The transaction depends on no setting of the role or the database, and is not cut short. */
const BEGIN = `
  BEGIN;
  SET LOCAL search_path = pg_catalog;
  SET LOCAL "TimeZone" = 'UTC';
  SET LOCAL statement_timeout = 0;
  SET LOCAL idle_in_transaction_session_timeout = 0;
  SET LOCAL client_min_messages = warning;
  SET LOCAL lock_timeout = `;

/**
 * Applies the first migration that the database lacks, or all of them where a table vms meets its first.
 * @returns their names; none when another gateway was faster.
 * @throws SchemaError whatever stands against it; an error of `pg` when the server goes away.
 */
export async function applyNext(
  client: pg.Client,
  migrations: GuardedMigrations,
  patience: LockWaitPolicy,
): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(client, patience.timeoutMs, () => applyFirst(client, migrations));
    } catch (error) {
      if (!isLockConflict(error)) throw error;
      if (attempt >= patience.attempts)
        throw await createLockedError(client, MIGRATION_LOCK, error);
      await pause(patience.pauseMs);
    }
  }
}

/** Reads the record again under the lock: what was pending before may have been applied meanwhile. */
async function applyFirst(
  client: pg.Client,
  { guard, migrations }: GuardedMigrations,
): Promise<string[]> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  const record = await readRecord(client);
  const pending = selectPending(migrations, record);
  if (pending instanceof SchemaError) throw pending;
  if (pending.length === 0) return [];
  if (guard !== undefined) await run(client, guard);
  await createRecord(client);
  const isFirstInstall = record.length === 0 && (await hasTable(client));
  const next = isFirstInstall ? pending : pending.slice(0, 1);
  for (const migration of next) {
    await run(client, migration);
    await recordMigration(client, migration);
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

/** pg takes a query's own deadline with it, which its types do not know. */
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
    // On a broken connection this fails too; the server has rolled back by itself.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
