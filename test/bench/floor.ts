// The floor: a bare LISTEN client. No push through a gateway can be faster.

import pg from 'pg';
import { nowUs } from './clock.js';
import type { Copy } from './copy.js';
import { changeOf, type VmJson } from './messages.js';

/** Listens on the database that PG* names, and keeps the copy up to date. */
export async function listen(copy: Copy): Promise<void> {
  const client = new pg.Client();
  client.on('notification', ({ payload = '' }) => {
    copy.take(changeOf(JSON.parse(payload) as VmJson), nowUs());
  });
  await client.connect();
  await client.query('LISTEN vm_updates');
}
