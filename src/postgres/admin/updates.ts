// Notifications as any listener of the database receives them, decoded, with their latency.

import type pg from 'pg';
import { measureClockSkewMs } from './doctor/clock.js';
import { receivesNotifications } from './listen-check.js';
import { MaintenanceError } from './maintenance-error.js';
import { withSession } from './session.js';

/** The triggers' channels: rows, and invalidations (see schema/README.md). */
const CHANNELS = ['vm_updates', 'vm_changes'];

/** A notification, decoded. */
export interface Update {
  readonly channel: string;
  /** The backend that sent it. */
  readonly pid: number;
  readonly receivedAt: Date;
  /**
   * From the start of its transaction, by the database's clock; undefined if the payload has no
   * time.
   */
  readonly latencyMs: number | undefined;
  /** Undefined if the payload is not a JSON object: any role that may connect can send anything. */
  readonly content: Readonly<Record<string, unknown>> | undefined;
  readonly payload: string;
}

/**
 * Calls `onUpdate` for every notification until `signal` is aborted.
 *
 * @param queries how the gateway's queries connect, to check that LISTEN works.
 * @param onListening called once the session listens.
 * @throws MaintenanceError if LISTEN does not work on `connection`, or the connection is lost.
 */
export async function followUpdates(
  connection: pg.ClientConfig,
  queries: pg.ClientConfig,
  onUpdate: (update: Update) => void,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  if (!(await receivesNotifications(connection, queries))) {
    throw new MaintenanceError(
      'refused',
      'LISTEN receives nothing here: a pooler in transaction mode is in between. Set LISTEN_DATABASE_URL to the server itself.',
    );
  }
  // The session's name ends in "listen", so that db kill-idle spares it.
  await withSession(connection, 'listen', async (session) => {
    const skewMs = await measureClockSkewMs(session, Date.now);
    session.on('notification', ({ channel, processId, payload = '' }) => {
      onUpdate(parseUpdate(channel, processId, payload, skewMs));
    });
    const ended = new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => resolve());
      session.once('end', () => {
        reject(new MaintenanceError('unreachable', 'The connection to the database was lost.'));
      });
    });
    for (const channel of CHANNELS) await session.query(`LISTEN ${channel}`);
    onListening();
    await ended;
  });
}

function parseUpdate(channel: string, pid: number, payload: string, skewMs: number): Update {
  const receivedAt = new Date();
  const content = parseObject(payload);
  return {
    channel,
    pid,
    receivedAt,
    content,
    payload,
    latencyMs: computeLatencyMs(content?.updated_at, receivedAt.getTime() + skewMs),
  };
}

/** A row's time has no zone, and is in UTC. */
function computeLatencyMs(updatedAt: unknown, nowMs: number): number | undefined {
  const ms = typeof updatedAt === 'string' ? Date.parse(`${updatedAt}Z`) : NaN;
  return Number.isNaN(ms) ? undefined : nowMs - ms;
}

function parseObject(payload: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(payload);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
