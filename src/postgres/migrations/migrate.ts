// Brings the schema of a database to what this program needs, or says why it cannot be used. What
// has been applied stands in the table lablink_migrations, and is never applied again.

import type pg from 'pg';
import { withClient } from '../client.js';
import { applyNext, type LockWaitPolicy } from './apply.js';
import { toSchemaError } from './failure.js';
import { readGuardedMigrations, readMigrations } from './migration-files.js';
import { selectPending, type AppliedMigration } from './pending.js';
import { readRecord } from './record.js';
import { SchemaError } from './schema-error.js';

export { SchemaError, type SchemaErrorCode } from './schema-error.js';
export type { AppliedMigration } from './pending.js';

export interface MigrateOptions {
  /** `apply` changes the database; `check` only reads, for a role that may not change the schema. */
  readonly mode: 'apply' | 'check';
  /** Where the numbered files are; by default the program's own. */
  readonly folder?: string;
  readonly lockWait?: LockWaitPolicy;
}

export interface MigrationReport {
  /** Number of the migration the schema is at now. */
  readonly number: number;
  /** Names of those that this call applied, in order. */
  readonly applied: readonly string[];
}

export interface SchemaStatus {
  readonly applied: readonly AppliedMigration[];
  /** Names of those that the database lacks, in order. */
  readonly pending: readonly string[];
  /** Why the schema can neither be used nor migrated, if it cannot. */
  readonly problem: SchemaError | undefined;
}

/** A little under a minute in all, in which others wait two seconds at a time. */
const DEFAULT_LOCK_WAIT: LockWaitPolicy = { timeoutMs: 2_000, pauseMs: 500, attempts: 20 };

/**
 * Applies what the database lacks, each migration in a transaction of its own, or all in one where a
 * table `vms` has met none of them yet. In mode `check` a database that lacks something is refused.
 * Any number of processes may do it at the same time.
 * @throws SchemaError the schema is not usable, see its code; an error of `pg` or of the network
 * when the database cannot be reached.
 */
export async function migrate(
  connection: pg.ClientConfig,
  { mode, folder, lockWait = DEFAULT_LOCK_WAIT }: MigrateOptions,
): Promise<MigrationReport> {
  const guarded = await readGuardedMigrations(folder);
  const { migrations } = guarded;
  return withMigrationClient(connection, async (client) => {
    const pending = selectPending(migrations, await readRecord(client));
    if (pending instanceof SchemaError) throw pending;
    const applied: string[] = [];
    if (pending.length > 0) {
      if (mode === 'check') throw createOlderError(pending.map(({ name }) => name));
      for (let names; (names = await applyNext(client, guarded, lockWait)).length > 0;) {
        applied.push(...names);
      }
    }
    return { number: migrations.length, applied };
  });
}

/**
 * What is applied and what is not, without changing anything.
 * @throws SchemaError `schema_gap` of the files, `schema_rights`; an error of `pg` or of the
 * network when the database cannot be reached.
 */
export async function readSchemaStatus(
  connection: pg.ClientConfig,
  folder?: string,
): Promise<SchemaStatus> {
  const migrations = await readMigrations(folder);
  const applied = await withMigrationClient(connection, readRecord);
  const pending = selectPending(migrations, applied);
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
): Promise<T> {
  const config = {
    ...connection,
    application_name: 'lablink-gateway migrate',
    statement_timeout: false,
    query_timeout: QUERY_TIMEOUT_MS,
  } as const;
  return withClient(config, async (client) => {
    try {
      return await work(client);
    } catch (error) {
      throw toSchemaError(error);
    }
  });
}
