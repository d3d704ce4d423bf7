// The log: JSON lines on stderr, or readable lines on a terminal. stdout is for the output of
// commands.

import { isatty } from 'node:tty';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { LOG_SERIALIZERS } from '../log.js';
import { createStderrWriter, LogWriter } from './log-writer.js';

/** The log of a process that serves. */
export interface ProcessLog {
  readonly log: Logger;
  /** Writes a message for people between the lines of the log. Never waits for stderr. */
  readonly print: (text: string) => void;
  /** How many lines stderr did not take. */
  readonly countDropped: () => number;
}

/** @param level a level of pino, such as `info`. */
export function createLog(level: string): ProcessLog {
  const options = { level, serializers: LOG_SERIALIZERS };
  // `process.stderr` would open the same pipe a second time, and wait for its reader.
  if (isatty(2)) return createTerminalLog(options);
  const writer = new LogWriter(createStderrWriter());
  process.on('exit', () => writer.flushSync());
  return {
    log: pino(options, writer),
    print: (text) => writer.write(text),
    countDropped: () => writer.dropped,
  };
}

function createTerminalLog(options: { readonly level: string }): ProcessLog {
  const terminal = pretty({
    destination: 2,
    ignore: 'pid,hostname',
    translateTime: 'HH:MM:ss.l',
    sync: true,
  });
  return {
    log: pino(options, terminal),
    print: (text) => process.stderr.write(text),
    countDropped: () => 0,
  };
}
