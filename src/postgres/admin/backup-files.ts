// The files of backups: their names, writing a file completely or not at all, and removing old
// files.

import { lstat, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { renameDurably } from '../../processes/replace-file.js';
import { readSystemCode } from '../../processes/system-code.js';
import { MaintenanceError } from './maintenance-error.js';
import { makeFolder } from '../../processes/make-folder.js';

const DAY_MS = 86_400_000;
/** The end of a temporary file's name. */
const PARTIAL = '.partial';

/** Formats a file name with the time in UTC: `lablink_db_20261124T020000Z.sql`. */
export function formatBackupName(database: string, now: Date, gzip: boolean): string {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${formatPrefix(database)}${stamp}.sql${gzip ? '.gz' : ''}`;
}

/** Escapes the database's name, which may contain slashes. */
const formatPrefix = (database: string): string => `${encodeURIComponent(database)}_`;

/** Reads the time of a backup from its name; undefined if it is not a backup of this database. */
function parseBackupTimeMs(name: string, database: string): number | undefined {
  const prefix = formatPrefix(database);
  if (!name.startsWith(prefix)) return undefined;
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.sql(\.gz)?$/.exec(
    name.slice(prefix.length),
  );
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/**
 * Writes a file completely or not at all: `write` fills a temporary file beside it, which is
 * renamed once it is on the disk and `check` has passed. A failure leaves no file.
 *
 * @returns the size in bytes.
 * @throws MaintenanceError if the file cannot be written; what `write` or `check` throws.
 */
export async function writeFileAtomically(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  check: (path: string) => Promise<void>,
): Promise<number> {
  const partial = `${path}${PARTIAL}`;
  try {
    await makeFolder(dirname(path), 0o700);
    const handle = await open(partial, 'wx', 0o600);
    try {
      await write(handle);
      await handle.sync();
      await check(partial);
      const { size } = await handle.stat();
      await renameDurably(partial, path);
      return size;
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      await handle.close().catch(() => undefined);
    }
  } catch (error) {
    throw toFileError(path, error);
  }
}

/** Appends the whole source to the file. */
export async function writeAll(handle: FileHandle, source: AsyncIterable<Buffer>): Promise<void> {
  for await (const part of source) await handle.writeFile(part);
}

function toFileError(path: string, error: unknown): unknown {
  const code = readSystemCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  if (code === 'EEXIST' && 'syscall' in error && error.syscall === 'open') {
    return new MaintenanceError('refused', `${path}: another backup is being made`, {
      cause: error,
    });
  }
  const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EEXIST'].includes(code);
  return new MaintenanceError(
    denied ? 'refused' : 'failed',
    `${path} cannot be written: ${error.message}`,
    { cause: error },
  );
}

/**
 * Removes this database's backups that are older than `keepDays`, judged by their names. The newest
 * backup, the file `made` and all other files stay.
 *
 * @returns the names of the removed backups.
 */
export async function removeOldBackups(
  folder: string,
  database: string,
  keepDays: number,
  now: Date,
  made: string,
): Promise<string[]> {
  const names = await readdir(folder);
  const backups = names
    .flatMap((name) => {
      const ms = parseBackupTimeMs(name, database);
      return ms === undefined ? [] : [{ name, ms }];
    })
    .sort((a, b) => b.ms - a.ms);
  const old = backups
    .slice(1)
    .filter(({ name, ms }) => name !== made && ms < now.getTime() - keepDays * DAY_MS);
  const removed: string[] = [];
  for (const { name } of old) {
    if (!(await lstat(join(folder, name))).isFile()) continue;
    await rm(join(folder, name));
    removed.push(name);
  }
  return removed;
}

/** Another server may have a database of this name, whose backup runs in the same folder. */
const UNFINISHED_AGE_MS = 3_600_000;

/**
 * Removes the temporary files that killed backups of this database left an hour ago or earlier. The
 * caller knows that no backup of this database runs.
 *
 * @returns their names; empty if there is no folder yet.
 */
export async function removeUnfinishedFiles(
  folder: string,
  database: string,
  now: Date,
): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const left = names.filter((name) => {
    if (!name.endsWith(PARTIAL)) return false;
    const startedMs = parseBackupTimeMs(name.slice(0, -PARTIAL.length), database);
    return startedMs !== undefined && startedMs < now.getTime() - UNFINISHED_AGE_MS;
  });
  for (const name of left) await rm(join(folder, name), { force: true });
  return left;
}
