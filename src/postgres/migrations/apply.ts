// Applies one migration: its SQL and its record in one transaction, under a lock that ends with it.

import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { asSchemaError, isLockConflict, lockedOut } from './failure.js';
import type { Migration } from './migration-files.js';
import { pendingMigrations } from './pending.js';
import { createRecord, readRecord, recordMigration } from './record.js';
import { SchemaError } from './schema-error.js';

/** How patiently locks are asked for. */
export interface LockPatience {
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
 * Applies the first migration that the database lacks.
 * @returns its name, or undefined when there is none: perhaps another gateway was faster.
 * @throws SchemaError whatever stands against it; an error of `pg` when the server goes away.
 */
export async function applyNext(
  client: pg.Client,
  migrations: readonly Migration[],
  patience: LockPatience,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await inTransaction(client, patience.timeoutMs, () => applyFirst(client, migrations));
    } catch (error) {
      if (!isLockConflict(error)) throw error;
      if (attempt >= patience.attempts) throw await lockedOut(client, MIGRATION_LOCK, error);
      await pause(patience.pauseMs);
    }
  }
}

/** Reads the record again under the lock: what was pending before may have been applied meanwhile. */
async function applyFirst(client: pg.Client, migrations: readonly Migration[]) {
  await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  await createRecord(client);
  const pending = pendingMigrations(migrations, await readRecord(client));
  if (pending instanceof SchemaError) throw pending;
  const [next] = pending;
  if (next === undefined) return undefined;
  try {
    await client.query(withDeadline(next.sql, MIGRATION_TIMEOUT_MS));
  } catch (error) {
    throw asSchemaError(error, next);
  }
  await recordMigration(client, next);
  return next.name;
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
