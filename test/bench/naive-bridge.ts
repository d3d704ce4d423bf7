// The bridge that one writes in an afternoon: LISTEN, JSON.parse, and JSON.stringify for every socket. No tokens, no
// state on connect, no repair, no bounds; nothing here is slow on purpose. It prints its URL when it serves.

import pg from 'pg';
import { WebSocketServer, type WebSocket } from 'ws';

interface Vm {
  hostname: string;
  crd_command?: string | undefined;
}

const agents = new Map<string, Set<WebSocket>>();
const dashboards = new Set<WebSocket>();

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });

server.on('connection', (socket, request) => {
  const [, , , segment] = (request.url ?? '').split('/');
  const sockets = segment === undefined ? dashboards : agentsOf(decodeURIComponent(segment));
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});

function agentsOf(hostname: string): Set<WebSocket> {
  const sockets = agents.get(hostname) ?? new Set();
  agents.set(hostname, sockets);
  return sockets;
}

function push(vm: Vm): void {
  for (const socket of agents.get(vm.hostname) ?? []) {
    socket.send(JSON.stringify({ type: 'status', vm }));
  }
  const shown: Vm = { ...vm, crd_command: undefined };
  for (const socket of dashboards) {
    socket.send(JSON.stringify({ type: 'changes', changes: [{ op: 'upsert', vm: shown }] }));
  }
}

const client = new pg.Client();
client.on('notification', ({ payload }) => {
  if (payload !== undefined) push(JSON.parse(payload) as Vm);
});
await client.connect();
await client.query('LISTEN vm_updates');

const address = server.address();
if (typeof address === 'string' || address === null) throw new Error('not listening');
process.stdout.write(`ws://127.0.0.1:${address.port}\n`);
