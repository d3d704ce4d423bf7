// Waits at the start for a database that cannot be used yet: on a first boot its server, role and
// database may come later. The first failure is logged with the address, each further one as a
// short line, and after the configured time the start fails with the exit code 3.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { summarizeError } from '../log.js';
import { explainSystemError } from './explain-system-error.js';
import type { ServerChoice } from '../postgres/choose-server.js';
import { SchemaError } from '../postgres/migrations/migrate.js';
import { chooseBackoffMs, type Backoff } from '../time/backoff.js';

/** At least half a second between two attempts, and with jitter at most five and a half. */
const MIN_PAUSE_MS = 500;
const RETRY: Backoff = { baseMs: 500, capMs: 5_000 };

/** The database could not be used within the configured time. The message is for an operator. */
export class DatabaseWaitError extends Error {
  override readonly name = 'DatabaseWaitError';
}

export interface DatabaseWait {
  /** The address that `attempt` connects to, for the log. */
  readonly connection: ServerChoice;
  /** How long the database may be unusable, in ms; with 0 there is a single attempt. */
  readonly maxWaitMs: number;
  readonly log: Pick<Logger, 'warn'>;
  /** Aborted when the process ends. */
  readonly signal: AbortSignal;
}

/**
 * Repeats `attempt` until it succeeds.
 *
 * @returns undefined if the signal is aborted before.
 * @throws DatabaseWaitError after the configured time; SchemaError at once if the schema cannot
 *   be used. A locked schema is waited for without end, because its server answers.
 */
export async function waitForDatabase<T>(
  { connection, maxWaitMs, log, signal }: DatabaseWait,
  attempt: () => Promise<T>,
): Promise<T | undefined> {
  const address = formatAddress(connection);
  let unusableSinceMs: number | undefined;
  for (let failures = 0; !signal.aborted; failures++) {
    const beganMs = performance.now();
    try {
      return await attempt();
    } catch (error) {
      const isLocked = error instanceof SchemaError && error.code === 'schema_locked';
      if (error instanceof SchemaError && !isLocked) throw error;
      const summary = summarizeError(error);
      unusableSinceMs = isLocked ? undefined : (unusableSinceMs ?? beganMs);
      const waitedMs = performance.now() - (unusableSinceMs ?? performance.now());
      if (failures === 0) log.warn(`waiting for the database ${address}: ${summary}`);
      else log.warn({ attempt: failures + 1 }, summary);
      if (!isLocked && waitedMs >= maxWaitMs) throw createWaitError(address, maxWaitMs, error);
      await pause(failures, isLocked ? Infinity : maxWaitMs - waitedMs, signal);
    }
  }
  return undefined;
}

/** Formats the address as `user@host:port/database`; a password is never part of it. */
export function formatAddress({ user, host, port, hosts, database }: ServerChoice): string {
  const servers = hosts ?? [{ host: host ?? 'localhost', port: port ?? 5432 }];
  const shown = servers.map((server) =>
    server.host.includes(':') ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`,
  );
  return `${user ?? ''}@${shown.join(',')}/${database ?? ''}`;
}

function createWaitError(address: string, maxWaitMs: number, cause: unknown): DatabaseWaitError {
  const seconds = Math.round(maxWaitMs / 1_000);
  const reason = cause instanceof Error ? explainSystemError(cause) : undefined;
  return new DatabaseWaitError(
    `The database ${address} could not be used for ${seconds} s: ${reason ?? summarizeError(cause)}`,
    { cause },
  );
}

/** Pauses before the next attempt; the last attempt is made when the time is over. */
async function pause(failures: number, remainingMs: number, signal: AbortSignal): Promise<void> {
  const pauseMs = MIN_PAUSE_MS + chooseBackoffMs(RETRY, failures, Math.random());
  await sleep(Math.min(pauseMs, Math.max(remainingMs, 0)), undefined, { signal }).catch(
    () => undefined,
  );
}
