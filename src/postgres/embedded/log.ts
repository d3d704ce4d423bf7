// The server's log file: the server appends to it through a descriptor of ours (it may be unable to
// open the file itself), and its size stays bounded.

import { copyFile, open, type FileHandle } from 'node:fs/promises';

/** When the log is longer than this, it becomes `postgres.log.1` and starts again. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;
const CHECK_INTERVAL_MS = 60_000;
const TAIL_BYTES = 16 * 1024;

export interface ServerLog {
  readonly path: string;
  readonly fd: number;
  /** The last lines written since the log was opened, at most `count`. */
  tail(count: number): Promise<string[]>;
  close(): Promise<void>;
}

export async function openLog(path: string): Promise<ServerLog> {
  const file = await open(path, 'a+', 0o600);
  await shorten(path, file);
  let start = (await file.stat()).size;
  const timer = setInterval(() => {
    shorten(path, file).then(
      (shortened) => (start = shortened ? 0 : start),
      () => undefined, // A full disk must not end the gateway; the next check tries again.
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

/** Descriptors in append mode go on at the new end of a file that was cut, so the server keeps its. */
async function shorten(path: string, file: FileHandle): Promise<boolean> {
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
