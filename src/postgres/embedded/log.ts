// The server's log file. The server inherits a descriptor to append to, because its account may be
// unable to open the file; the size stays bounded.

import { copyFile, open, type FileHandle } from 'node:fs/promises';

/** A longer log is moved to `postgres.log.1`, and a new one begins. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;
const CHECK_INTERVAL_MS = 60_000;
const TAIL_BYTES = 16 * 1024;

export interface ServerLog {
  readonly path: string;
  readonly fd: number;
  /** Reads the last lines written since the log was opened, at most `count`. */
  tail(count: number): Promise<string[]>;
  close(): Promise<void>;
}

/** Opens the log file at `path` for appending, and checks its size once a minute. */
export async function openLog(path: string): Promise<ServerLog> {
  const file = await open(path, 'a+', 0o600);
  await rotateIfLong(path, file);
  let start = (await file.stat()).size;
  const timer = setInterval(() => {
    rotateIfLong(path, file).then(
      (shortened) => (start = shortened ? 0 : start),
      () => undefined, // A full disk must not stop the gateway; the next check tries again.
    );
  }, CHECK_INTERVAL_MS).unref();
  return {
    path,
    fd: file.fd,
    tail: (count) => tail(file, start, count),
    close: async () => {
      clearInterval(timer);
      await file.close();
    },
  };
}

/**
 * Empties the file in place: the server's descriptor is in append mode and continues at the new
 * end.
 */
async function rotateIfLong(path: string, file: FileHandle): Promise<boolean> {
  if ((await file.stat()).size <= MAX_LOG_BYTES) return false;
  await copyFile(path, `${path}.1`);
  await file.truncate(0);
  return true;
}

async function tail(file: FileHandle, start: number, count: number): Promise<string[]> {
  const { size } = await file.stat();
  const from = Math.max(start, size - TAIL_BYTES);
  if (from >= size) return [];
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  const lines = buffer.subarray(0, bytesRead).toString().split('\n');
  return lines.filter((line) => line.trim() !== '').slice(-count);
}
