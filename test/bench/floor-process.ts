// The floor: a process with a bare LISTEN client, and the notifications it receives. No push
// through a gateway can be faster.

import pg from 'pg';
import { Clients } from '../../src/loadtest/clients.js';
import { nowUs } from '../../src/loadtest/clock.js';
import { readChange, type VmJson } from '../../src/loadtest/messages.js';
import { serve } from '../../src/loadtest/rpc.js';
import type { TableState } from '../../src/loadtest/rows.js';

const clients = new Clients({ url: '', sendsState: false, localAddresses: [] });

const handlers = {
  /** Listens, and keeps a copy of all rows. */
  listen: async (options: { database: pg.ClientConfig; rows: number }): Promise<void> => {
    const copy = clients.watchRows(options.rows);
    const client = new pg.Client(options.database);
    client.on('notification', ({ payload = '' }) => {
      copy.apply(readChange(JSON.parse(payload) as VmJson), nowUs(), false);
    });
    await client.connect();
    await client.query('LISTEN vm_updates');
  },
  record: () => clients.record(),
  take: () => clients.take(),
  quiet: ({ deadlineMs }: { deadlineMs: number }) => clients.quiet(deadlineMs),
  compare: ({ table, sinceVersion }: { table: TableState; sinceVersion: number }) =>
    clients.compare(table, sinceVersion),
};
export type FloorHandlers = typeof handlers;

serve(handlers);
