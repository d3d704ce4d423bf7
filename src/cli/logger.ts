// The log: JSON lines on stderr, or readable lines on a terminal. stdout is for the output of
// commands.

import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { LOG_SERIALIZERS } from '../log.js';

/** @param level a level of pino, such as `info`. */
export function createLogger(level: string): Logger {
  const options = { level, serializers: LOG_SERIALIZERS };
  if (!process.stderr.isTTY) return pino(options, pino.destination({ fd: 2, sync: false }));
  return pino(
    options,
    pretty({ destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l', sync: true }),
  );
}
