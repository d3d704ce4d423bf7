// The files of backups: their names, how one comes to be whole or not at all, and which old ones go.

import { lstat, mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { renameDurably } from '../../processes/replace-file.js';
import { readSystemCode } from '../../processes/system-code.js';
import { MaintenanceError } from './maintenance-error.js';

const DAY_MS = 86_400_000;

/** `lablink_db_20261124T020000Z.sql`, of the moment in UTC. */
export function formatBackupName(database: string, now: Date, gzip: boolean): string {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${formatPrefix(database)}${stamp}.sql${gzip ? '.gz' : ''}`;
}

/** A database may be called anything, a path among it. */
const formatPrefix = (database: string): string => `${encodeURIComponent(database)}_`;

/** When the backup of this name was made; undefined when it is none of this database. */
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
 * Makes the file by what `write` puts into another beside it, which gets the name once it is on the disk and `check`
 * has passed. Nothing is left of one that fails.
 * @returns its size in bytes.
 */
export async function writeFileAtomically(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  check: (path: string) => Promise<void>,
): Promise<number> {
  const partial = `${path}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
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

/** Writes all that comes, each piece behind the last. */
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
  const denied = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code);
  return new MaintenanceError(
    denied ? 'refused' : 'failed',
    `${path} cannot be written: ${error.message}`,
    { cause: error },
  );
}

/**
 * Removes this database's backups that are older than so many days, by their names; never the newest, nor the one
 * that was just made, and no file of another name. What a killed backup left behind goes after a day.
 * @returns the names of the backups it removed.
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
    .sort((one, other) => other.ms - one.ms);
  const old = backups
    .slice(1)
    .filter(({ name, ms }) => name !== made && ms < now.getTime() - keepDays * DAY_MS);
  const removed: string[] = [];
  for (const { name } of old) {
    if (!(await lstat(join(folder, name))).isFile()) continue;
    await rm(join(folder, name));
    removed.push(name);
  }
  for (const name of names.filter((name) => name.endsWith('.partial'))) {
    const made = parseBackupTimeMs(name.slice(0, -'.partial'.length), database);
    if (made !== undefined && made < now.getTime() - DAY_MS) await rm(join(folder, name));
  }
  return removed;
}
