// Changes as any listener of the database hears them, decoded, with how long each took to arrive.

import type pg from 'pg';
import { measureClockSkewMs } from './doctor/clock.js';
import { receivesNotifications } from './listen-check.js';
import { MaintenanceError } from './maintenance-error.js';
import { withSession } from './session.js';

/** The triggers' channels: rows, and what a row cannot say (see schema/README.md). */
const CHANNELS = ['vm_updates', 'vm_changes'];

export interface Update {
  readonly channel: string;
  /** The backend that sent it. */
  readonly pid: number;
  readonly receivedAt: Date;
  /** From the beginning of its transaction, by the database's clock; undefined where the payload has no time. */
  readonly latencyMs: number | undefined;
  /** Undefined where it is no JSON object: anyone who may connect may send anything. */
  readonly content: Readonly<Record<string, unknown>> | undefined;
  readonly payload: string;
}

/**
 * Tells of every update until `signal` is aborted.
 * @throws MaintenanceError when nothing could ever be heard this way, or the connection is lost.
 */
export async function followUpdates(
  connection: pg.ClientConfig,
  queries: pg.ClientConfig,
  tell: (update: Update) => void,
  signal: AbortSignal,
  listening: () => void,
): Promise<void> {
  if (!(await receivesNotifications(connection, queries))) {
    throw new MaintenanceError(
      'refused',
      'LISTEN hears nothing here: a pooler in transaction mode is in between. Set LISTEN_DATABASE_URL to the server itself.',
    );
  }
  // Its name says that it listens, so that it is not ended as idle.
  await withSession(connection, 'listen', async (session) => {
    const skewMs = await measureClockSkewMs(session, Date.now);
    session.on('notification', ({ channel, processId, payload = '' }) => {
      tell(parseUpdate(channel, processId, payload, skewMs));
    });
    const ended = new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => resolve());
      session.once('end', () => {
        reject(new MaintenanceError('unreachable', 'The connection to the database was lost.'));
      });
    });
    for (const channel of CHANNELS) await session.query(`LISTEN ${channel}`);
    listening();
    await ended;
  });
}

function parseUpdate(channel: string, pid: number, payload: string, skewMs: number): Update {
  const receivedAt = new Date();
  const content = parseObject(payload);
  return {
    ...{ channel, pid, receivedAt, content, payload },
    latencyMs: computeLatencyMs(content?.updated_at, receivedAt.getTime() + skewMs),
  };
}

/** Times of rows have no zone, and are UTC. */
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
