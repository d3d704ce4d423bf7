// Whether LISTEN hears what other sessions send: through a pooler in transaction mode it succeeds, and hears nothing.

import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { withSession } from './session.js';

/** Far beyond what a notification takes. */
const DEADLINE_MS = 3_000;

/**
 * Listens on one connection and notifies on another, as the gateway's heartbeat does. False when nothing arrives in time.
 */
export function receivesNotifications(
  connection: pg.ClientConfig,
  queries: pg.ClientConfig,
  deadlineMs = DEADLINE_MS,
): Promise<boolean> {
  const channel = `lablink_listen_check_${randomBytes(8).toString('hex')}`;
  return withSession(connection, 'listen-check', async (listener) => {
    const heard = new Promise<boolean>((resolve) =>
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
    const hears = await Promise.race([heard, late]);
    timer.abort();
    return hears;
  });
}
