// Writes log lines to stderr without ever waiting for it: a full disk, a pipe that is not read or
// closed must not stop the process or its end. Lines that cannot be written wait in a buffer of
// limited size; further lines are dropped and counted, and the count is logged afterwards.

import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Holds some seconds of a busy log. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** The pause before stderr is tried again after it took nothing. */
const RETRY_MS = 100;

/** Writes what fits now, and returns how many bytes that is. Throws if stderr takes nothing. */
export type WriteNow = (bytes: Buffer) => number;

export class LogWriter {
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #droppedTotal = 0;
  /** Lines that were dropped since the last line that says so. */
  #unreported = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly writeNow: WriteNow,
    private readonly maxBufferedBytes = MAX_BUFFERED_BYTES,
  ) {}

  /** How many lines were dropped. */
  get dropped(): number {
    return this.#droppedTotal;
  }

  /** Takes a line; all lines of a turn of the event loop are written together. Never throws. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > this.maxBufferedBytes) {
      this.#droppedTotal++;
      this.#unreported++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flushSync());
  }

  /** Writes what stderr takes now, and tries the rest again later. Never throws, never waits. */
  flushSync(): void {
    this.#scheduled = true;
    clearTimeout(this.#timer);
    const bytes = Buffer.concat(this.#waiting);
    const written = this.#tryWrite(bytes);
    const rest = bytes.subarray(written);
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
    if (rest.length === 0) {
      this.#scheduled = false;
      this.#reportDropped();
      return;
    }
    this.#timer = setTimeout(() => this.flushSync(), RETRY_MS).unref();
  }

  #tryWrite(bytes: Buffer): number {
    try {
      return bytes.length === 0 ? 0 : this.writeNow(bytes);
    } catch {
      return 0;
    }
  }

  #reportDropped(): void {
    if (this.#unreported === 0) return;
    const line = { level: 40, time: Date.now(), dropped: this.#unreported, msg: DROPPED };
    this.#unreported = 0;
    this.write(`${JSON.stringify(line)}\n`);
  }
}

const DROPPED = 'lines of the log were dropped, because stderr did not take them';

/** Chooses how to write to stderr without waiting, by what it is. */
export function createStderrWriter(): WriteNow {
  const stats = fstatSync(STDERR);
  if (stats.isSocket()) return createSocketWriter();
  const fd = stats.isFIFO() ? openWithoutWaiting() : STDERR;
  return (bytes) => writeSync(fd, bytes);
}

const STDERR = 2;

/**
 * Opens the pipe again, because O_NONBLOCK belongs to the open file, which other processes share.
 * Elsewhere than on Linux the pipe itself is used.
 */
function openWithoutWaiting(): number {
  try {
    return openSync(`/proc/self/fd/${STDERR}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return STDERR;
  }
}

/** A socket, as systemd's journal is, cannot be opened again: Node writes to it without waiting. */
function createSocketWriter(): WriteNow {
  const socket = new Socket({ fd: STDERR, readable: false, writable: true });
  socket.on('error', () => undefined);
  socket.unref();
  return (bytes) => {
    // Node holds the rest of the last write.
    if (socket.writableLength > 0 || socket.destroyed) return 0;
    socket.write(bytes);
    return bytes.length;
  };
}
