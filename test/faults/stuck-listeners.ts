// Sessions that listen and take nothing, and so hold up the queue of notifications for everybody on
// the server; and what fills it meanwhile.

import pg from 'pg';
import type { Teardown, TestDatabase } from '../helpers/database.js';

export interface StuckListener {
  readonly pid: number;
  /** As its operator would, who has seen its name in the log. */
  readonly end: () => Promise<void>;
}

async function listen(t: Teardown, config: pg.ClientConfig): Promise<pg.Client & { pid: number }> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end());
  await client.query('LISTEN vm_updates');
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return Object.assign(client, { pid: rows[0]?.pid ?? 0 });
}

/** A session that has begun a transaction and forgotten it. */
export async function stickInTransaction(
  t: Teardown,
  config: pg.ClientConfig,
): Promise<StuckListener> {
  const client = await listen(t, config);
  await client.query('BEGIN');
  return { pid: client.pid, end: () => client.end() };
}

/**
 * A session whose program has stopped reading: nothing that it is sent leaves the server any more.
 */
export async function stopReading(t: Teardown, config: pg.ClientConfig): Promise<StuckListener> {
  const client = await listen(t, config);
  const { stream } = client.connection as unknown as { stream: NodeJS.ReadableStream };
  stream.pause();
  t.teardown(() => stream.resume());
  const end = async (): Promise<void> => {
    stream.resume();
    await client.end();
  };
  return { pid: client.pid, end };
}

/** Nearly as long as a payload may be, so that one takes a page of the queue. */
const PAYLOAD = 'x'.repeat(7_000);

/** Notifies until the queue is so full, on a channel without listeners. */
export async function fillQueue(database: TestDatabase, ratio: number): Promise<void> {
  while ((await queueUsage(database)) < ratio) {
    await database.query('SELECT pg_notify($1, $2)', ['nobodys', PAYLOAD]);
  }
}

export async function queueUsage({ query }: Pick<TestDatabase, 'query'>): Promise<number> {
  const rows = await query<{ usage: number }>('SELECT pg_notification_queue_usage() AS usage');
  return rows[0]?.usage ?? NaN;
}
