// A process full of agents, on the client library: `simulated-agents.ts <url> <secret> <prefix>
// <from> <to>`. Each runs what it is assigned, once, and acknowledges it, as an agent on a VM does.
// It knows its current assignment and no more. When its parent sends `report`, it reports the
// outcome of all.

import { signToken } from '../../src/gateway/auth/token.js';
import { createClient, type Client } from '../../src/client/index.js';
import type { AgentReport } from './crowd.js';

const [, , url = '', secret = '', prefix = '', from = '0', to = '0'] = process.argv;

/** Before an acknowledgement that the gateway could not take is sent again. */
const ACK_RETRY_MS = 500;

class SimulatedAgent {
  /** In the order in which they were begun. */
  readonly runs: string[] = [];
  readonly pausesMs: number[] = [];
  connected = false;
  #current: string | null = null;
  readonly #watch: ReturnType<Client['watchVm']>;

  constructor(readonly hostname: string) {
    const token = async (): Promise<string> =>
      signToken({ role: 'agent', sub: hostname, ttlSeconds: 3_600 }, secret);
    this.#watch = createClient({ url, token }).watchVm(hostname);
    this.#watch.on('update', (state) => {
      if (state.type === 'assignment') this.#take(state.vm.assignment_id ?? '');
    });
    this.#watch.on('connection', (state) => {
      this.connected = state.phase === 'live' || state.phase === 'stale';
      if (state.phase === 'reconnecting') this.pausesMs.push(state.nextTryMs - Date.now());
    });
    this.#watch.on('rejection', ({ code }) => {
      if (code === 'unavailable') setTimeout(() => this.#acknowledge(), ACK_RETRY_MS);
    });
  }

  #take(assignmentId: string): void {
    if (assignmentId !== this.#current) this.runs.push(assignmentId);
    this.#current = assignmentId;
    this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.#current !== null) this.#watch.acknowledge(this.#current);
  }
}

const agents: SimulatedAgent[] = [];
for (let n = Number(from); n < Number(to); n++) agents.push(new SimulatedAgent(`${prefix}${n}`));

process.on('message', () => {
  const reports = agents.map(({ hostname, runs, pausesMs, connected }): AgentReport => ({
    ...{ hostname, runs, pausesMs, connected },
  }));
  process.send?.(reports);
});
process.on('disconnect', () => process.exit());
