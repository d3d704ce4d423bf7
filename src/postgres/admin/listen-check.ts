// Checks whether LISTEN works: through a pooler in transaction mode the statement succeeds, but
// notifications of other sessions never arrive.

import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { withSession } from './session.js';

/** Much longer than a notification takes. */
const DEADLINE_MS = 3_000;

/**
 * Listens on `connection` and notifies on `queries`, like the gateway's heartbeat.
 *
 * @returns false if no notification arrives within `deadlineMs`.
 */
export function receivesNotifications(
  connection: pg.ClientConfig,
  queries: pg.ClientConfig,
  deadlineMs = DEADLINE_MS,
): Promise<boolean> {
  const channel = `lablink_listen_check_${randomBytes(8).toString('hex')}`;
  return withSession(connection, 'listen-check', async (listener) => {
    const received = new Promise<boolean>((resolve) =>
      listener.once('notification', () => resolve(true)),
    );
    await listener.query(`LISTEN ${channel}`);
    await withSession(queries, 'listen-check', (sender) =>
      sender.query('SELECT pg_notify($1, $2)', [channel, '']),
    );
    const timer = new AbortController();
    const late = new Promise<boolean>((resolve) => {
      const timeout = setTimeout(() => resolve(false), deadlineMs);
      timer.signal.addEventListener('abort', () => clearTimeout(timeout));
    });
    const isReceived = await Promise.race([received, late]);
    timer.abort();
    return isReceived;
  });
}
