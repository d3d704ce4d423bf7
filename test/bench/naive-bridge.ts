// The bridge that one writes in an afternoon: LISTEN, JSON.parse, and JSON.stringify for every
// socket. No tokens, no state on connect, no bounds, and what is missed is missed; nothing here is
// slow on purpose. It prints its URL when it serves.

import { createServer } from 'node:http';
import pg from 'pg';
import { WebSocketServer, type WebSocket } from 'ws';

interface Vm {
  hostname: string;
  crd_command?: string | undefined;
}

/** As many as the gateway allows: a storm would fill Node's 511. */
const BACKLOG = 4_096;
const RETRY_MS = 1_000;

const agents = new Map<string, Set<WebSocket>>();
const dashboards = new Set<WebSocket>();

const http = createServer();
const server = new WebSocketServer({ server: http });

server.on('connection', (socket, request) => {
  const [, , , segment] = (request.url ?? '').split('/');
  const sockets = segment === undefined ? dashboards : findAgents(decodeURIComponent(segment));
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});

function findAgents(hostname: string): Set<WebSocket> {
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

async function listen(): Promise<void> {
  const client = new pg.Client({ application_name: 'naive listen' });
  client.on('notification', ({ payload }) => {
    if (payload !== undefined) push(JSON.parse(payload) as Vm);
  });
  client.on('error', () => undefined); // The end follows.
  client.on('end', () => setTimeout(() => void listen(), RETRY_MS));
  await client.connect().then(
    () => client.query('LISTEN vm_updates'),
    () => undefined,
  );
}

await listen();
http.listen(0, '127.0.0.1', BACKLOG, () => {
  const address = http.address();
  if (typeof address === 'string' || address === null) throw new Error('not listening');
  process.stdout.write(`http://127.0.0.1:${address.port}\n`);
});
