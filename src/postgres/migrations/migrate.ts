// Migrates a database's schema to the state that this version needs, or says why that is
// impossible. The table lablink_migrations records applied migrations, which are never applied
// again.

import type pg from 'pg';
import { withClient } from '../client.js';
import { applyNext, type LockWaitPolicy } from './apply.js';
import { toSchemaError } from './failure.js';
import { readGuardedMigrations, readMigrations } from './migration-files.js';
import { selectPending, type AppliedMigration } from './pending.js';
import { readBearing, readRecord } from './record.js';
import { readReleaseNumber, rejectOldServer } from './server-version.js';
import { SchemaError } from './schema-error.js';

export { SchemaError, type SchemaErrorCode } from './schema-error.js';
export type { AppliedMigration } from './pending.js';

export interface MigrateOptions {
  /**
   * `apply` changes the database; `check` only reads, for a role that may not change the schema.
   */
  readonly mode: 'apply' | 'check';
  /** The folder of the numbered files; by default the shipped one. */
  readonly folder?: string;
  readonly lockWait?: LockWaitPolicy;
  /** Interrupts the migration under way, which is then rolled back. */
  readonly signal?: AbortSignal | undefined;
}

export interface MigrationReport {
  /** The number of the schema's latest migration. */
  readonly number: number;
  /** The names of the migrations that this call applied, in order. */
  readonly applied: readonly string[];
}

export interface SchemaStatus {
  readonly applied: readonly AppliedMigration[];
  /** The names of the migrations that the database lacks, in order. */
  readonly pending: readonly string[];
  /** Why the schema can neither be used nor migrated; undefined if it can. */
  readonly problem: SchemaError | undefined;
}

/** About 50 seconds in all; other sessions wait at most 2 seconds at a time. */
const DEFAULT_LOCK_WAIT: LockWaitPolicy = { timeoutMs: 2_000, pauseMs: 500, attempts: 20 };

/**
 * Applies the pending migrations, each in a transaction of its own, or all in one for a table `vms`
 * without a record. Mode `check` refuses a database with pending migrations. Any number of
 * processes may migrate at the same time.
 *
 * @throws SchemaError if the schema is not usable, see its code; an error of `pg` or of the network
 * if the database cannot be reached.
 */
export async function migrate(
  connection: pg.ClientConfig,
  { mode, folder, lockWait = DEFAULT_LOCK_WAIT, signal }: MigrateOptions,
): Promise<MigrationReport> {
  const guarded = await readGuardedMigrations(folder);
  const { migrations } = guarded;
  return withMigrationClient(
    connection,
    async (client) => {
      rejectOldServer(await readReleaseNumber(client));
      const pending = selectPending(
        migrations,
        await readRecord(client),
        await readBearing(client),
      );
      if (pending instanceof SchemaError) throw pending;
      const applied: string[] = [];
      if (pending.length > 0) {
        if (mode === 'check') throw createOlderError(pending.map(({ name }) => name));
        for (let names; (names = await applyNext(client, guarded, lockWait)).length > 0;) {
          applied.push(...names);
        }
      }
      return { number: migrations.length, applied };
    },
    signal,
  );
}

/**
 * Reads which migrations are applied and which are pending, and changes nothing.
 *
 * @throws SchemaError `schema_gap` of the files, `schema_rights`; an error of `pg` or of the
 * network if the database cannot be reached.
 */
export async function readSchemaStatus(
  connection: pg.ClientConfig,
  folder?: string,
): Promise<SchemaStatus> {
  const migrations = await readMigrations(folder);
  const { applied, bearing } = await withMigrationClient(connection, async (client) => ({
    applied: await readRecord(client),
    bearing: await readBearing(client),
  }));
  const pending = selectPending(migrations, applied, bearing);
  return pending instanceof SchemaError
    ? { applied, pending: [], problem: pending }
    : { applied, pending: pending.map(({ name }) => name), problem: undefined };
}

const createOlderError = (pending: readonly string[]) =>
  new SchemaError(
    'schema_older',
    `the database lacks ${pending.join(', ')}; run "lablink-gateway db migrate" with a role that may change the schema`,
  );

/** A server that is stopped or unreachable answers nothing. A migration's SQL may take longer. */
const QUERY_TIMEOUT_MS = 15_000;

/** Runs `work` on a connection of its own. @throws SchemaError for what the database refused */
function withMigrationClient<T>(
  connection: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const config = {
    ...connection,
    application_name: 'lablink-gateway migrate',
    statement_timeout: false,
    query_timeout: QUERY_TIMEOUT_MS,
  } as const;
  return withClient(
    config,
    async (client) => {
      try {
        return await work(client);
      } catch (error) {
        throw toSchemaError(error);
      }
    },
    signal,
  );
}
