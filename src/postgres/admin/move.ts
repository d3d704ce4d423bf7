// A move to another server, for example a managed one: a consistent dump is loaded there, and
// compared with the original. The original stays unchanged; operators switch the gateways by hand.

import pg from 'pg';
import { readServerVersion } from './backup.js';
import { dumpDatabase, loadDump } from './dump.js';
import { compareChecksums, computeChecksum, type DatabaseChecksum } from './checksum.js';
import { MaintenanceError } from './maintenance-error.js';
import { inTransaction, takeOnlyRow, withSession } from './session.js';
import { findTools, listToolFolders, type Tools } from './tools.js';

export interface MoveOptions {
  readonly connection: pg.ClientConfig;
  readonly target: pg.ClientConfig;
  /** For the programs that the move starts. */
  readonly environment: NodeJS.ProcessEnv;
  /** Check everything that can be checked, and copy nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface MoveReport {
  /** Major versions. */
  readonly from: number;
  readonly to: number;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  readonly triggers: number;
  readonly sequences: number;
  /** Tables that changed after the copied snapshot: the target lacks these changes. */
  readonly changedSince: readonly string[];
}

/**
 * Copies the database to an empty one on another server, and compares both.
 *
 * @throws MaintenanceError, also if the copy differs; the copy then stays for inspection.
 */
export async function moveDatabase(options: MoveOptions): Promise<MoveReport> {
  const { connection, signal } = options;
  return withSession(connection, 'move', (source) => moveFrom(source, options), signal);
}

async function moveFrom(source: pg.Client, options: MoveOptions): Promise<MoveReport> {
  const { target, environment, dryRun, signal } = options;
  const from = await readServerVersion(source);
  const to = await withSession(
    target,
    'move',
    async (session) => {
      const version = await readServerVersion(session);
      if (version < from) {
        throw createRefusal(
          `the server there is PostgreSQL ${version}, older than this one (${from})`,
        );
      }
      await refuseTables(session);
      await refuseMissingRoles(session, await listGrantees(source));
      return version;
    },
    signal,
  );
  const tools = await findTools(['pg_dump', 'psql'], from, listToolFolders(environment));
  const original = await inTransaction(
    source,
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    async () => {
      const image = await computeChecksum(source);
      if (!dryRun) await copyDatabase(source, tools, options);
      return image;
    },
  );
  const now = await computeChecksum(source);
  if (!dryRun) await compareCopy(target, original, now, signal);
  return { from, to, ...summarize(original), changedSince: listChangedTables(original, now) };
}

const createRefusal = (why: string): MaintenanceError =>
  new MaintenanceError('refused', `Nothing was moved: ${why}.`);

async function refuseTables(target: pg.Client): Promise<void> {
  const names = [...(await computeChecksum(target)).tables.keys()];
  if (names.length === 0) return;
  throw createRefusal(
    `the database there is not empty (${names.join(', ')}); use an empty one, or run DROP SCHEMA public CASCADE and CREATE SCHEMA public there`,
  );
}

/** Lists the roles, other than owners, that have rights on tables of the source. */
async function listGrantees(source: pg.Client): Promise<string[]> {
  const { rows } = await source.query<{ name: string }>(
    `SELECT DISTINCT pg_get_userbyid(grantee) AS name
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace,
       LATERAL aclexplode(relacl)
     WHERE nspname !~ '^(pg_|information_schema$)' AND grantee NOT IN (0, relowner) ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}

async function refuseMissingRoles(target: pg.Client, names: readonly string[]): Promise<void> {
  const { rows } = await target.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS name
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)`,
    [names],
  );
  if (rows.length === 0) return;
  const missing = rows.map(({ name }) => name);
  const sql = missing.map((name) => `CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN`).join('; ');
  throw createRefusal(`roles that have rights here are missing there; create them first: ${sql}`);
}

async function copyDatabase(source: pg.Client, tools: Tools, options: MoveOptions): Promise<void> {
  const { snapshot, encoding } = takeOnlyRow(
    await source.query<{ snapshot: string; encoding: string }>(
      `SELECT pg_export_snapshot() AS snapshot, current_setting('server_encoding') AS encoding`,
    ),
  );
  await dumpDatabase({ ...options, tools, snapshot, encoding }, (output) =>
    loadDump({ ...options, tools, connection: options.target }, output),
  );
}

async function compareCopy(
  target: pg.ClientConfig,
  original: DatabaseChecksum,
  now: DatabaseChecksum,
  signal: AbortSignal,
): Promise<void> {
  const copied = await withSession(
    target,
    'move',
    async (session) => {
      await session.query('ANALYZE');
      return computeChecksum(session);
    },
    signal,
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    throw new MaintenanceError(
      'failed',
      'Interrupted: the copy there is complete, but was not compared. Empty the database there before another try.',
      { cause: error },
    );
  });
  const found = compareChecksums(original, copied, now.sequences);
  if (found.length === 0) return;
  throw new MaintenanceError('failed', `The copy differs from the original: ${found.join('; ')}`);
}

function summarize({ tables, triggers, sequences }: DatabaseChecksum) {
  return {
    tables: Object.fromEntries([...tables].map(([name, { rows }]) => [name, rows])),
    triggers: triggers.length,
    sequences: sequences.size,
  };
}

function listChangedTables(before: DatabaseChecksum, now: DatabaseChecksum): string[] {
  return [...before.tables]
    .filter(([name, { sum }]) => now.tables.get(name)?.sum !== sum)
    .map(([name]) => name);
}
