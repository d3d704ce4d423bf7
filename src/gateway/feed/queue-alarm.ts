// Raises the alarm in the log before the server's queue of notifications is full: the feed's watch, put together with
// the database that it asks. Whom the log names, an operator can end.

import type pg from 'pg';
import type { Logger } from 'pino';
import { readQueueUsage, readSuspects, type Suspect } from '../database/notification-queue.js';
import { QUEUE_WARNING_RATIO, QueueWatch } from './queue-watch.js';

export interface QueueAlarmOptions {
  readonly pool: pg.Pool;
  /** From how full a queue on the log warns, from 0 to 1. */
  readonly warningRatio: number | undefined;
  /** Told how full the queue was, every time it was looked at. */
  readonly usageSeen: (ratio: number) => void;
  readonly log: Logger;
}

export function createQueueAlarm(options: QueueAlarmOptions): QueueWatch<Suspect> {
  const { pool, log } = options;
  return new QueueWatch(options.warningRatio ?? QUEUE_WARNING_RATIO, {
    usage: () => readQueueUsage(pool),
    suspects: () => readSuspects(pool),
    usageSeen: options.usageSeen,
    filling: (ratio, sessions) => log.error({ ratio, sessions }, FILLS),
    relieved: () => log.info('the queue of notifications is no longer filling'),
    failed: (err) => log.warn({ err }, 'could not look at the queue of notifications'),
  });
}

const FILLS =
  'the queue of notifications fills: one of these sessions, of any database of the server, listens and takes nothing. ' +
  'At 1 every change of vms fails; end the session (pg_terminate_backend). Without its state and since when, grant ' +
  'pg_monitor to see them, and sessions that read nothing.';
