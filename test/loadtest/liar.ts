// A server that speaks the protocol and cannot be trusted: it loses, repeats or reorders the
// messages to its agents.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { WebSocketServer } from 'ws';
import { decodeHostnameSegment } from '../../src/protocol/paths.js';
import type { Teardown, TestDatabase } from '../helpers/database.js';

/**
 * `lose` sends every message to all agents but the first; `late` sends each state after the next
 * one.
 */
export type Lie = 'lose' | 'repeat' | 'late';

interface Told {
  readonly send: (row: string) => void;
  /** How many states came. */
  count: number;
  /** The messages that were kept back. */
  kept: string | undefined;
}

/** @returns its URL */
export async function startLiar(t: Teardown, database: TestDatabase, lie: Lie): Promise<string> {
  const sockets = new Map<string, Told>();
  const listener = new pg.Client(database.config);
  listener.on('notification', ({ payload }) => {
    const told = sockets.get((JSON.parse(payload ?? '') as { hostname: string }).hostname);
    if (told !== undefined) tell(told, payload ?? '', lie);
  });
  await listener.connect();
  await listener.query('LISTEN vm_updates');
  const http = createServer((_request, response) => response.end('{}'));
  const server = new WebSocketServer({ server: http });
  server.on('connection', (ws, { url }) => {
    const hostname = decodeHostnameSegment(decodeURIComponent(url?.split('/').at(-1) ?? ''));
    const send = (row: string): void => ws.send(`{"type":"assignment","vm":${row}}`);
    const sql = 'SELECT row_to_json(vms)::text AS row FROM vms WHERE hostname = $1';
    void database.query<{ row: string }>(sql, [hostname]).then(([found]) => {
      if (found !== undefined) send(found.row);
      sockets.set(hostname, { send, count: 0, kept: undefined });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    http.close();
    http.closeAllConnections();
    await listener.end();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

function tell(told: Told, row: string, lie: Lie): void {
  if (lie === 'lose' && told.count++ > 0) return;
  if (lie === 'late' && told.kept === undefined) {
    told.kept = row;
    return;
  }
  told.send(row);
  if (lie === 'repeat') told.send(row);
  if (told.kept !== undefined) told.send(told.kept);
  told.kept = undefined;
}
