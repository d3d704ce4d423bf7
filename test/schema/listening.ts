// A client that LISTENs and keeps what it hears, in the order of commits.

import pg from 'pg';
import type { Teardown } from '../helpers/database.js';

export interface Heard {
  readonly channel: string;
  readonly payload: string;
}

export interface Listening {
  /** Returns the notifications that were committed before this call and not yet taken. */
  readonly take: () => Promise<Heard[]>;
}

const SENTINEL = 'sentinel';

/** Listens on a connection of its own, until the test ends. */
export async function listen(
  t: Teardown,
  config: pg.ClientConfig,
  channels: readonly string[] = ['vm_updates', 'vm_changes'],
): Promise<Listening> {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  let heard: Heard[] = [];
  let sent = 0;
  const arrivals = new Map<string, () => void>();
  client.on('notification', ({ channel, payload = '' }) => {
    if (channel === SENTINEL) arrivals.get(payload)?.();
    else heard.push({ channel, payload });
  });
  for (const channel of [SENTINEL, ...channels]) await client.query(`LISTEN ${channel}`);
  const take = async () => {
    // Notifications arrive in the order of commits: behind this one nothing older is outstanding.
    const payload = String((sent += 1));
    const arrived = new Promise<void>((resolve) => arrivals.set(payload, resolve));
    await client.query('SELECT pg_notify($1, $2)', [SENTINEL, payload]);
    await arrived;
    const taken = heard;
    heard = [];
    return taken;
  };
  return { take };
}

/** The notice to read one row again. */
export const read = (hostname: string): Heard => ({
  channel: 'vm_changes',
  payload: `{"op":"read","hostname":${JSON.stringify(hostname)}}`,
});

/** The notice to read everything again. */
export const READ_ALL: Heard = { channel: 'vm_changes', payload: '{"op":"read"}' };

/** The news of a row. */
export const row = (payload: string): Heard => ({ channel: 'vm_updates', payload });
