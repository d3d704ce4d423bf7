// The cost of ten thousand agents that connect at once, and again after a network outage. Measures
// the gateway's statements and time, the time until a dashboard knows all agents, and how much of
// it the feed was live. `npm run bench:storm`.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { createGateway } from '../../src/gateway/gateway.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { startDatabase } from '../helpers/database.js';
import { connect } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';

const AGENTS = Number(process.env.STORM_AGENTS ?? 10_000);
const SECRET = 'a secret that only the storm knows, of enough bytes';
const formatHostname = (n: number): string => `vm-${String(n).padStart(5, '0')}`;

/**
 * The process of the agents: opens a socket for each, and ends them all when its parent says so.
 */
async function beAgents(): Promise<void> {
  const sockets: Awaited<ReturnType<typeof connect>>[] = [];
  process.on('message', (url: string) => {
    void (async () => {
      for (const { ws } of sockets.splice(0)) ws.terminate();
      const bearers = Array.from(
        { length: AGENTS },
        (_, n) =>
          `Bearer ${signToken({ role: 'agent', sub: formatHostname(n), ttlSeconds: 3_600 }, SECRET)}`,
      );
      process.send?.('begin');
      const open = bearers.map(async (authorization, n) => {
        const client = await connect(`${url}/v1/vms/${formatHostname(n)}`, [], {
          headers: { authorization },
        });
        sockets.push(client);
      });
      await Promise.all(open);
      process.send?.('open');
    })();
  });
  await once(process, 'disconnect');
  process.exit();
}

/** How often the gateway is asked whether it is ready. */
const PROBE_MS = 100;

/**
 * Asks the gateway again and again whether it is ready, as a load balancer does, and counts what it
 * answers. A question that is answered late counts for all the time that it took.
 */
async function probe(url: string, ending: AbortSignal) {
  const reasons = new Map<string, number>();
  let [readyMs, allMs, slowestMs] = [0, 0, 0];
  while (!ending.aborted) {
    const beganMs = performance.now();
    const answer = await fetch(`${url}/health/ready`);
    const { detail = '' } = (await answer.json()) as { detail?: string };
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    await sleep(Math.max(0, beganMs + PROBE_MS - performance.now()));
    const tookMs = performance.now() - beganMs;
    allMs += tookMs;
    if (answer.ok) readyMs += tookMs;
    else reasons.set(detail, (reasons.get(detail) ?? 0) + 1);
  }
  return { share: readyMs / allMs, slowestMs, reasons };
}

/** Counts every statement of this process by its kind, and how long it was waited for. */
function countStatements(): Map<string, { count: number; ms: number }> {
  const counts = new Map<string, { count: number; ms: number }>();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its client below
  const query = pg.Client.prototype.query as (...values: unknown[]) => unknown;
  pg.Client.prototype.query = function (this: pg.Client, ...values: unknown[]) {
    const [first] = values;
    const text = typeof first === 'string' ? first : (first as { text?: string }).text;
    const kind = readMessageType(text ?? '');
    const beganMs = performance.now();
    const done = (): void => {
      const so = counts.get(kind) ?? { count: 0, ms: 0 };
      counts.set(kind, { count: so.count + 1, ms: so.ms + performance.now() - beganMs });
    };
    // pg-pool passes a callback, others wait for a promise.
    const callback = values.at(-1);
    if (typeof callback === 'function') {
      values[values.length - 1] = (...answer: unknown[]): unknown => {
        done();
        return (callback as (...values: unknown[]) => unknown)(...answer);
      };
      return query.apply(this, values);
    }
    const answer = query.apply(this, values);
    if (answer instanceof Promise) answer.then(done, done);
    return answer;
  } as typeof pg.Client.prototype.query;
  return counts;
}

function readMessageType(text: string): string {
  if (text.includes('INSERT INTO public.vm_presence')) return 'presence written';
  if (text.includes('read_vm_presence')) return 'presence read';
  return text.includes('public.gateways') ? 'leases' : 'all others (rows, checks, heartbeats)';
}

async function storm(): Promise<void> {
  const ends: (() => unknown)[] = [];
  const database = await startDatabase({ teardown: (end: () => unknown) => ends.push(end) });
  await database.query(
    `INSERT INTO vms (hostname, status) SELECT 'vm-' || lpad(n::text, 5, '0'), 'available'
     FROM generate_series(0, $1 - 1) n`,
    [AGENTS],
  );
  const counts = countStatements();
  const app = createGateway({
    ...{ database: database.config, listenDatabase: database.config },
    ...{ jwtSecrets: [SECRET], jwtPublicKeys: [], allowedOrigins: [], dashboardColumns: [] },
    ...{ trustProxy: false, requestsPerMinute: 1_000_000, drainMs: 0 },
    socketLimits: { total: 100_000, perAddress: 100_000, perIdentity: 100 },
    log: pino({ level: 'silent' }),
  });
  ends.push(() => app.close());
  const url = await app.listen('127.0.0.1', 0);
  app.startFeed();
  await until('the gateway is ready', async () => (await fetch(`${url}/health/ready`)).ok);
  const ws = url.replace('http', 'ws');
  const token = signToken({ role: 'dashboard', sub: 'd', ttlSeconds: 3_600 }, SECRET);
  const dashboard = await connect(`${ws}/v1/vms`, [], {
    headers: { authorization: `Bearer ${token}` },
  });
  /** By hostname, since when the dashboard believes it online. */
  const online = new Map<string, string>();
  let read = 0;
  const known = (than: string): boolean => {
    for (const message of dashboard.messages.slice(read)) {
      read++;
      for (const change of (message.changes ?? []) as {
        op: string;
        hostname: string;
        online: boolean;
        since: string;
      }[]) {
        if (change.op === 'presence' && change.online) online.set(change.hostname, change.since);
      }
    }
    return online.size === AGENTS && [...online.values()].every((since) => since > than);
  };
  const agents = fork(new URL(import.meta.url), ['agents'], { execArgv: process.execArgv });
  const told = (what: string): Promise<unknown> =>
    new Promise((resolve) => agents.on('message', (message) => message === what && resolve(what)));
  for (const name of ['connect at once', 'connect again']) {
    const [row] = await database.query<{ now: string }>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
    );
    const begun = told('begin');
    const open = told('open');
    agents.send(ws);
    await begun;
    counts.clear();
    const [beganMs, cpu] = [performance.now(), process.cpuUsage()];
    const delays = monitorEventLoopDelay({ resolution: 10 });
    delays.enable();
    const ending = new AbortController();
    const probed = probe(url, ending.signal);
    await open;
    const openMs = performance.now() - beganMs;
    await until('the dashboard knows them all', () => known(row?.now ?? ''));
    const { user, system } = process.cpuUsage(cpu);
    const knownMs = performance.now() - beganMs;
    ending.abort();
    delays.disable();
    const { share, slowestMs, reasons } = await probed;
    process.stdout.write(
      `\n${AGENTS} agents ${name}: open after ${seconds(openMs)}, known to a dashboard after ` +
        `${seconds(knownMs)}, ${seconds((user + system) / 1_000)} of the gateway's CPU\n`,
    );
    process.stdout.write(
      `  ready for ${(100 * share).toFixed(1)} % of the time, the slowest answer after ` +
        `${seconds(slowestMs)}; delay of the event loop: p99 ${seconds(delays.percentile(99) / 1e6)}, ` +
        `at most ${seconds(delays.max / 1e6)}\n`,
    );
    for (const [reason, count] of reasons)
      process.stdout.write(`  not ready, ${count} times: ${reason}\n`);
    for (const [kind, { count, ms }] of [...counts].sort())
      process.stdout.write(`  ${kind}: ${count} statements, ${seconds(ms)} waited for\n`);
  }
  agents.disconnect();
  for (const end of ends.reverse()) await end();
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

await (process.argv[2] === 'agents' ? beAgents() : storm());
