// A process of simulated clients. The load test calls it to connect, count, compare and report.

import { signToken } from '../gateway/auth/token.js';
import { FLEET_PATH, vmPath } from '../protocol/paths.js';
import { Clients } from './clients.js';
import { formatHostname, type TableState } from './rows.js';
import { serve } from './rpc.js';
import type { Endpoint } from './endpoint.js';
import type { ClientIdentity } from './simulated-client.js';
import type { Credentials } from './target.js';

export interface JoinOptions {
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  /** From the first up to, not including, the second. An agent watches the row of its number. */
  readonly agents: readonly [number, number];
  readonly dashboards: readonly [number, number];
  /** How many rows each dashboard watches. */
  readonly rows: number;
}

const TOKEN_TTL_SECONDS = 6 * 3_600;

let clients = new Clients({ url: '', sendsState: false, localAddresses: [] });
let stopped = new AbortController();

type Sign = (role: 'agent' | 'dashboard', sub: string) => string;

function createSigner(credentials: Credentials): Sign {
  if (credentials.kind === 'token') return () => credentials.token;
  return (role, sub) => signToken({ role, sub, ttlSeconds: TOKEN_TTL_SECONDS }, credentials.secret);
}

/** Creates the clients, and signs their tokens before anything is timed. */
function join({ endpoint, credentials, agents, dashboards, rows }: JoinOptions) {
  clients = new Clients(endpoint);
  stopped = new AbortController();
  const sign = createSigner(credentials);
  const { localAddresses } = endpoint;
  let created = 0;
  const identity = (path: string, token: string): ClientIdentity => ({
    path,
    token,
    localAddress: localAddresses[created++ % Math.max(1, localAddresses.length)],
  });
  for (let n = dashboards[0]; n < dashboards[1]; n++) {
    const token = sign('dashboard', `loadtest-dashboard-${n}`);
    clients.addDashboard(rows, identity(FLEET_PATH, token));
  }
  for (let row = agents[0]; row < agents[1]; row++) {
    const hostname = formatHostname(row);
    clients.addAgent(row, identity(vmPath(hostname), sign('agent', hostname)));
  }
}

const handlers = {
  join,
  /** Resolves when the last client has begun to connect. */
  connect: ({ perSecond }: { perSecond: number }) => clients.connect(perSecond, stopped.signal),
  stopConnecting: () => stopped.abort(),
  connected: () => clients.connected,
  record: () => clients.record(),
  take: () => clients.take(),
  quiet: ({ deadlineMs }: { deadlineMs: number }) => clients.quiet(deadlineMs),
  compare: ({ table, sinceVersion }: { table: TableState; sinceVersion: number }) =>
    clients.compare(table, sinceVersion),
  drop: () => clients.drop(),
  stall: ({ dashboards }: { dashboards: number }) => clients.stall(dashboards),
  resume: () => clients.resume(),
  leave: () => clients.leave(),
};
export type ClientHandlers = typeof handlers;

serve(handlers);
