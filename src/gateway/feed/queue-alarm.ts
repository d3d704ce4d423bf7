// Warns in the log before the server's queue of notifications is full: the queue watch, wired to
// the database. The log names sessions that an operator can end.

import type pg from 'pg';
import type { Logger } from 'pino';
import { readQueueUsage, readSuspects, type Suspect } from '../database/notification-queue.js';
import { QUEUE_WARNING_RATIO, QueueWatch } from './queue-watch.js';

export interface QueueAlarmOptions {
  readonly pool: pg.Pool;
  /** How full the queue may be before the log warns, from 0 to 1; undefined for the default. */
  readonly warningRatio: number | undefined;
  /** Called at every look at the queue with how full it is, from 0 to 1. */
  readonly usageObserved: (ratio: number) => void;
  readonly log: Logger;
}

export function createQueueAlarm(options: QueueAlarmOptions): QueueWatch<Suspect> {
  const { pool, log } = options;
  return new QueueWatch(options.warningRatio ?? QUEUE_WARNING_RATIO, {
    readUsage: () => readQueueUsage(pool),
    readSuspects: () => readSuspects(pool),
    usageObserved: options.usageObserved,
    filling: (ratio, sessions) => log.error({ ratio, sessions }, FILLING),
    drained: () => log.info('the queue of notifications is no longer filling'),
    failed: (err) => log.warn({ err }, 'could not read the usage of the queue of notifications'),
  });
}

const FILLING =
  'the queue of notifications is filling: a listening session, in any database of the server, does not read. It is ' +
  'probably one of these; end it with pg_terminate_backend. At 1 every change of vms fails. If state and since are ' +
  'null, grant pg_monitor to see them, and to see sessions whose clients do not read.';
