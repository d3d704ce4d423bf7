// The log: JSON lines on stderr, or readable ones where a person looks. stdout is left to what a command prints.

import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export function createLogger(level: string): Logger {
  if (!process.stderr.isTTY) return pino({ level }, pino.destination({ fd: 2, sync: false }));
  return pino(
    { level },
    pretty({ destination: 2, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l', sync: true }),
  );
}
