// A backup: a dump of the whole database, of one moment, in a file that is there whole or not at all; held against the
// database and brought elsewhere where that is asked for. Old ones go only after all of it has succeeded.

import { basename, join } from 'node:path';
import { createGzip } from 'node:zlib';
import type pg from 'pg';
import { backupName, makeFile, removeOld, writeAll } from './backup-files.js';
import { completeDump, dump, load, openDump, through } from './dump.js';
import { differences, imageOf, sequencesOf, type Image } from './checksum.js';
import { MaintenanceError } from './maintenance-error.js';
import { withScratchDatabase } from './scratch-database.js';
import { inTransaction, only, withSession } from './session.js';
import { findTools, toolFolders, type Tools } from './tools.js';
import { checkUpload, upload } from './upload.js';

export interface BackupOptions {
  readonly connection: pg.ClientConfig;
  /** For the programs it starts. */
  readonly environment: NodeJS.ProcessEnv;
  readonly folder: string;
  readonly keepDays: number;
  readonly gzip: boolean;
  /** Restore it into a scratch database, and compare. */
  readonly verify: boolean;
  readonly uploadCommand: string | undefined;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  readonly vms: number;
  readonly verified: boolean;
  readonly uploaded: boolean;
  /** Names of older backups that went. */
  readonly removed: readonly string[];
}

/** @throws MaintenanceError; then no older backup was touched, and none is left half done. */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const { connection, environment, folder, keepDays, uploadCommand, now, signal } = options;
  if (uploadCommand !== undefined) checkUpload(uploadCommand);
  const made = await withSession(connection, 'backup', async (session) => {
    const tools = await toolsFor(session, options);
    return inTransaction(session, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', () =>
      make(session, tools, options),
    );
  });
  if (uploadCommand !== undefined) await upload(uploadCommand, made.file, environment, signal);
  const removed = await removeOld(folder, made.database, keepDays, now, basename(made.file));
  return {
    file: made.file,
    bytes: made.bytes,
    vms: made.vms,
    verified: options.verify,
    uploaded: uploadCommand !== undefined,
    removed,
  };
}

/** What a backup would do now, as far as it can be told without doing it. */
export async function planBackup(options: BackupOptions): Promise<{ file: string; tools: Tools }> {
  const { connection, folder, uploadCommand, now, gzip } = options;
  if (uploadCommand !== undefined) checkUpload(uploadCommand);
  return withSession(connection, 'backup', async (session) => ({
    file: join(folder, backupName(await databaseOf(session), now, gzip)),
    tools: await toolsFor(session, options),
  }));
}

async function toolsFor(
  session: pg.Client,
  { environment, verify }: BackupOptions,
): Promise<Tools> {
  return findTools(
    verify ? ['pg_dump', 'psql'] : ['pg_dump'],
    await serverVersion(session),
    toolFolders(environment),
  );
}

/** The major version of the server. */
export async function serverVersion(session: pg.Client): Promise<number> {
  const { version } = only(
    await session.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version`,
    ),
  );
  return version;
}

async function databaseOf(session: pg.Client): Promise<string> {
  return only(await session.query<{ name: string }>('SELECT current_database() AS name')).name;
}

async function make(session: pg.Client, tools: Tools, options: BackupOptions) {
  const database = await databaseOf(session);
  const file = join(options.folder, backupName(database, options.now, options.gzip));
  const { snapshot, vms } = only(
    await session.query<{ snapshot: string; vms: number }>(
      `SELECT pg_export_snapshot() AS snapshot, (SELECT count(*) FROM public.vms)::float8 AS vms`,
    ),
  );
  const original = options.verify ? await imageOf(session) : undefined;
  const bytes = await makeFile(
    file,
    (handle) =>
      dump({ ...options, tools, snapshot }, async (output) => {
        const whole = through(output, completeDump());
        await writeAll(handle, options.gzip ? through(whole, createGzip()) : whole);
      }),
    async (partial) => {
      if (original !== undefined) await verify(partial, session, original, { ...options, tools });
    },
  );
  return { database, file, bytes, vms };
}

async function verify(
  file: string,
  session: pg.Client,
  original: Image,
  options: BackupOptions & { readonly tools: Tools },
): Promise<void> {
  const found = await withScratchDatabase(options.connection, async (scratch) => {
    await load({ ...options, connection: scratch }, await openDump(file));
    const copy = await withSession(scratch, 'verify', imageOf);
    return differences(original, copy, await sequencesOf(session));
  });
  if (found.length === 0) return;
  throw new MaintenanceError('failed', `The backup is not what was dumped: ${found.join('; ')}`);
}
