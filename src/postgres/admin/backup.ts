// A backup: a consistent dump of the whole database in a file that is complete or absent. On
// request the backup is verified and uploaded. Old backups are removed only after everything
// succeeded. What a killed backup left is removed by the next one.

import { basename, join } from 'node:path';
import { createGzip } from 'node:zlib';
import type pg from 'pg';
import { shareBackupLock, tryBackupLock } from './backup-lock.js';
import {
  formatBackupName,
  removeUnfinishedFiles,
  writeFileAtomically,
  removeOldBackups,
  writeAll,
} from './backup-files.js';
import { requireDumpEnd, dumpDatabase, loadDump, openDump, pipeThrough } from './dump.js';
import {
  compareChecksums,
  computeChecksum,
  readSequences,
  type DatabaseChecksum,
} from './checksum.js';
import { MaintenanceError } from './maintenance-error.js';
import { writeBackupMetrics } from './backup-metrics.js';
import { dropLeftScratchDatabases, withScratchDatabase } from './scratch-database.js';
import { inTransaction, takeOnlyRow, withSession } from './session.js';
import { findTools, listToolFolders, type Tools } from './tools.js';
import { checkUploadCommand, upload } from './upload.js';

export interface BackupOptions {
  readonly connection: pg.ClientConfig;
  /** For the programs that the backup starts. */
  readonly environment: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly keepDays: number;
  readonly gzip: boolean;
  /** Restore the file into a scratch database, and compare. */
  readonly verify: boolean;
  /** A command of /bin/sh, see upload.ts. */
  readonly uploadCommand: string | undefined;
  /** A file for Prometheus, which a success replaces; see backup-metrics.ts. */
  readonly metricsFile?: string | undefined;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  readonly vms: number;
  readonly verified: boolean;
  readonly uploaded: boolean;
  /** Names of the older backups that were removed. */
  readonly removed: readonly string[];
  /** Scratch databases and unfinished files of killed backups, which were removed. */
  readonly swept: readonly string[];
}

/**
 * Writes a backup, verifies and uploads it if requested, and removes old backups.
 *
 * @throws MaintenanceError; no older backup was removed then, and no incomplete file is left.
 */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const { connection, environment, folder, keepDays, uploadCommand, now, signal } = options;
  if (uploadCommand !== undefined) checkUploadCommand(uploadCommand);
  const made = await withSession(
    connection,
    'backup',
    async (session) => {
      const tools = await findBackupTools(session, options);
      const swept = await sweep(session, options);
      return inTransaction(session, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', async () => {
        await shareBackupLock(session);
        return { ...(await writeBackup(session, tools, options)), swept };
      });
    },
    signal,
  );
  if (uploadCommand !== undefined) await upload(uploadCommand, made.file, environment, signal);
  const removed = await removeOldBackups(folder, made.database, keepDays, now, basename(made.file));
  if (options.metricsFile !== undefined) {
    await writeBackupMetrics(options.metricsFile, { ...made, at: now });
  }
  return {
    file: made.file,
    bytes: made.bytes,
    vms: made.vms,
    verified: options.verify,
    uploaded: uploadCommand !== undefined,
    removed,
    swept: made.swept,
  };
}

/** Removes what killed backups of this database left, unless another backup of it runs. */
async function sweep(session: pg.Client, options: BackupOptions): Promise<string[]> {
  const database = await readDatabaseName(session);
  return inTransaction(session, 'BEGIN', async () => {
    if (!(await tryBackupLock(session))) return [];
    return [
      ...(await dropLeftScratchDatabases(options.connection)),
      ...(await removeUnfinishedFiles(options.folder, database, options.now)),
    ];
  });
}

/** Returns the file that a backup would write now, and the programs it would use. */
export async function planBackup(options: BackupOptions): Promise<{ file: string; tools: Tools }> {
  const { connection, folder, uploadCommand, now, gzip } = options;
  if (uploadCommand !== undefined) checkUploadCommand(uploadCommand);
  return withSession(connection, 'backup', async (session) => ({
    file: join(folder, formatBackupName(await readDatabaseName(session), now, gzip)),
    tools: await findBackupTools(session, options),
  }));
}

async function findBackupTools(
  session: pg.Client,
  { environment, verify }: BackupOptions,
): Promise<Tools> {
  return findTools(
    verify ? ['pg_dump', 'psql'] : ['pg_dump'],
    await readServerVersion(session),
    listToolFolders(environment),
  );
}

/** Reads the server's major version. */
export async function readServerVersion(session: pg.Client): Promise<number> {
  const { version } = takeOnlyRow(
    await session.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version`,
    ),
  );
  return version;
}

async function readDatabaseName(session: pg.Client): Promise<string> {
  return takeOnlyRow(await session.query<{ name: string }>('SELECT current_database() AS name'))
    .name;
}

async function writeBackup(session: pg.Client, tools: Tools, options: BackupOptions) {
  const database = await readDatabaseName(session);
  const file = join(options.folder, formatBackupName(database, options.now, options.gzip));
  const { snapshot, encoding, vms } = takeOnlyRow(
    await session.query<{ snapshot: string; encoding: string; vms: number }>(
      `SELECT pg_export_snapshot() AS snapshot, current_setting('server_encoding') AS encoding,
         (SELECT count(*) FROM public.vms)::float8 AS vms`,
    ),
  );
  const original = options.verify ? await computeChecksum(session) : undefined;
  const bytes = await writeFileAtomically(
    file,
    (handle) =>
      dumpDatabase({ ...options, tools, snapshot, encoding }, async (output) => {
        const whole = pipeThrough(output, requireDumpEnd());
        await writeAll(handle, options.gzip ? pipeThrough(whole, createGzip()) : whole);
      }),
    async (partial) => {
      if (original !== undefined)
        await verifyBackup(partial, session, original, { ...options, tools });
    },
  );
  return { database, file, bytes, vms };
}

async function verifyBackup(
  file: string,
  session: pg.Client,
  original: DatabaseChecksum,
  options: BackupOptions & { readonly tools: Tools },
): Promise<void> {
  const found = await withScratchDatabase(options.connection, async (scratch) => {
    await loadDump({ ...options, connection: scratch }, await openDump(file, options.signal));
    const copy = await withSession(scratch, 'verify', computeChecksum, options.signal);
    return compareChecksums(original, copy, await readSequences(session));
  });
  if (found.length === 0) return;
  throw new MaintenanceError('failed', `The backup differs from the database: ${found.join('; ')}`);
}
