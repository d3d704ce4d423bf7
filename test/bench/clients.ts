// A process of clients, which does what it is called to: connect, count, compare, report.

import { nowUs } from './clock.js';
import { listen } from './floor.js';
import { Observer } from './observer.js';
import { serve } from './rpc.js';
import { closeAll, connectAgent, connectDashboard, type Endpoint } from './sockets.js';

export interface ConnectOptions {
  readonly endpoint: Endpoint;
  /** Agents of the rows from the first up to, and without, the second. */
  readonly agents: readonly [number, number];
  readonly dashboards: number;
  readonly rows: number;
}

/** How many connect at a time. */
const CONNECTING_AT_ONCE = 32;

let observer = new Observer();

async function connect(options: ConnectOptions): Promise<{ tookUs: number }> {
  const { endpoint, agents, dashboards, rows } = options;
  const waiting: (() => Promise<void>)[] = [];
  for (let row = agents[0]; row < agents[1]; row++) {
    waiting.push(() => connectAgent(endpoint, row, observer.agent(row)));
  }
  for (let i = 0; i < dashboards; i++) {
    waiting.push(() => connectDashboard(endpoint, observer.dashboard(rows)));
  }
  const fromUs = nowUs();
  const connectNext = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next();
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectNext));
  return { tookUs: nowUs() - fromUs };
}

const handlers = {
  listen: ({ rows }: { rows: number }) => listen(observer.dashboard(rows)),
  connect,
  /** Closes all sockets, and forgets what they were told. */
  disconnect: async () => {
    await closeAll();
    observer = new Observer();
  },
  record: () => observer.record(),
  quiet: (options: { deadlineMs: number }) => observer.quiet(options.deadlineMs),
  compare: (options: Parameters<Observer['compare']>[0]) => observer.compare(options),
  report: () => observer.report(),
};
export type ClientsHandlers = typeof handlers;

serve(handlers);
