// A server with deliberate faults: it loses, repeats or reorders the messages to its agents.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { WebSocketServer } from 'ws';
import { decodeHostnameSegment } from '../../src/protocol/paths.js';
import type { Teardown, TestDatabase } from '../helpers/database.js';

/** `lose` sends each agent its first change only; `late` sends each state after the next one. */
export type Lie = 'lose' | 'repeat' | 'late';

interface AgentSocket {
  readonly send: (row: string) => void;
  /** How many states have arrived. */
  count: number;
  /** The state that is held back. */
  kept: string | undefined;
}

/** @returns its URL */
export async function startLiar(t: Teardown, database: TestDatabase, lie: Lie): Promise<string> {
  const sockets = new Map<string, AgentSocket>();
  const listener = new pg.Client(database.config);
  listener.on('notification', ({ payload }) => {
    const socket = sockets.get((JSON.parse(payload ?? '') as { hostname: string }).hostname);
    if (socket !== undefined) forward(socket, payload ?? '', lie);
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

function forward(socket: AgentSocket, row: string, lie: Lie): void {
  if (lie === 'lose' && socket.count++ > 0) return;
  if (lie === 'late' && socket.kept === undefined) {
    socket.kept = row;
    return;
  }
  socket.send(row);
  if (lie === 'repeat') socket.send(row);
  if (socket.kept !== undefined) socket.send(socket.kept);
  socket.kept = undefined;
}
