// A failover drill: two clusters behind HAProxy, agents on a gateway, and requests for VMs. The
// standby takes over, by plan or because the primary failed, and the old server lives on or is
// dead. Whatever happens, no agent may learn anything of the old server after its feed was stale.

import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Timing } from '../../src/gateway/timing.js';
import { startServer, type Teardown, type TestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { startGateway, type TestGateway } from '../helpers/gateway.js';
import { run, temporaryFolder } from '../helpers/process.js';
import type { RawClient } from '../helpers/raw-client.js';
import { until } from '../helpers/until.js';
import { startProxy } from './proxy.js';
import { freeze, kill } from './server-faults.js';
import { startStandby, type Standby } from './standby.js';

export const SCENARIOS = [
  'planned, old server alive',
  'planned, old server dead',
  'unplanned, old server alive',
  'unplanned, old server dead',
] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface DrillOptions {
  readonly binDir: string;
  readonly agents: number;
  /** How long requests run before and after the change. */
  readonly loadMs: number;
  readonly timing: Partial<Timing>;
}

export interface DrillReport {
  /** From the beginning of the change until the feed was stale, in ms. */
  readonly staleAfterMs: number;
  /** From the beginning of the change, promotion included, until the gateway was ready, in ms. */
  readonly readyAfterMs: number;
  /** Requests that were answered with 201. */
  readonly assigned: number;
  /** Requests that were answered otherwise, or not at all. */
  readonly refused: number;
  /** Assignments of the old server that the new one lacks; all were asked for before. */
  readonly lost: number;
  /** What must never happen; empty if all is well. */
  readonly wrong: readonly string[];
}

interface Given {
  readonly assignmentId: string;
  readonly askedMs: number;
}

/** Runs one scenario on clusters of its own. */
export async function runDrill(
  t: Teardown,
  scenario: Scenario,
  { binDir, agents, loadMs, timing }: DrillOptions,
): Promise<DrillReport> {
  const server = await startServer(t, { binDir });
  const database = await server.createDatabase();
  const hostnames = Array.from({ length: agents }, (_, n) => `vm-${n}`);
  await database.query(
    `INSERT INTO vms (hostname, status, crd_command) SELECT unnest($1::text[]), 'available', 'run'`,
    [hostnames],
  );
  const standby = await startStandby(t, database, binDir);
  const way = await startHaproxyBefore(t, database, standby);
  const config = { ...database.config, host: '127.0.0.1', port: way.port };
  const gateway = await startGateway(t, database, {
    ...{ database: config, listenDatabase: config, timing },
  });
  const clients = await Promise.all(
    hostnames.map((hostname) => gateway.connect(`/v1/vms/${hostname}`, 'agent', hostname)),
  );
  const load = new Load(gateway, await gateway.token('admin'));
  load.start();
  await sleep(loadMs);

  const beganMs = performance.now();
  const stale = watchFeed(await gateway.connect('/v1/vms', 'dashboard'));
  const ready = gateway.notReady().then(() => gateway.ready());
  const end = await change(scenario, { database, standby, stop: server.stop, leave: way.leave });
  await ready;
  const readyAfterMs = performance.now() - beganMs;
  await end();
  await sleep(loadMs);
  await load.stop();
  const staleMs = await stale;
  return {
    staleAfterMs: Math.round(staleMs - beganMs),
    readyAfterMs: Math.round(readyAfterMs),
    ...(await judge(standby, clients, hostnames, load, staleMs)),
  };
}

interface World {
  readonly database: TestDatabase;
  readonly standby: Standby;
  readonly stop: () => Promise<void>;
  /** Makes HAProxy send nothing more to the old server. */
  readonly leave: () => void;
}

/** Lets the standby take over. Returns what is to be done once the gateway is ready. */
async function change(
  scenario: Scenario,
  { database, standby, stop, leave }: World,
): Promise<() => Promise<void>> {
  let end = async (): Promise<void> => undefined;
  if (scenario === 'planned, old server alive') {
    const admin = new pg.Client(database.adminConfig);
    await admin.connect();
    await admin.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
  } else if (scenario === 'planned, old server dead') await stop();
  else if (scenario === 'unplanned, old server dead') await kill(database);
  else {
    const thaw = await freeze(database);
    // It returns as a second primary, with all of its connections.
    end = async () => thaw();
  }
  leave();
  await standby.promote();
  return end;
}

/** HAProxy asks for the role of each server over HTTP, as it asks Patroni. */
async function startHaproxyBefore(t: Teardown, database: TestDatabase, standby: Standby) {
  let isLeft = false;
  const ways = await Promise.all([database, standby].map(({ config }) => startProxy(t, config)));
  const checks = await Promise.all([
    startRoleServer(t, async () => !isLeft),
    startRoleServer(t, async () => {
      const [row] = await standby.query<{ primary: boolean }>(
        'SELECT NOT pg_is_in_recovery() AS primary',
      );
      return row?.primary === true;
    }),
  ]);
  const port = await freePort();
  const servers = ways.map(
    (way, n) => `server s${n} 127.0.0.1:${way.through({}).port} check port ${checks[n]}`,
  );
  const file = join(await temporaryFolder(t), 'haproxy.cfg');
  await writeFile(
    file,
    `defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 2s
listen postgres
  bind 127.0.0.1:${port}
  option httpchk GET /primary
  default-server inter 300ms fall 1 rise 1
  ${servers.join('\n  ')}
`,
  );
  run(t, 'haproxy', ['-db', '-f', file]);
  const config = { ...database.config, host: '127.0.0.1', port };
  await until('HAProxy leads to the primary', async () => {
    const client = new pg.Client(config);
    client.on('error', () => undefined);
    const isUp = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    return isUp;
  });
  return {
    port,
    leave: () => {
      isLeft = true;
    },
  };
}

async function startRoleServer(t: Teardown, isPrimary: () => Promise<boolean>): Promise<number> {
  const server = createServer((_request, response) => {
    void isPrimary()
      .catch(() => false)
      .then((primary) => response.writeHead(primary ? 200 : 503).end());
  }).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

const WORKERS = 4;

/** Requests VMs, and gives each back. */
class Load {
  readonly given: Given[] = [];
  refused = 0;
  #over = false;
  #running: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(
    private readonly gateway: TestGateway,
    private readonly token: string,
  ) {}

  start(): void {
    this.#running = Promise.all(Array.from({ length: WORKERS }, () => this.#work()));
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  async #work(): Promise<void> {
    while (!this.#over) {
      const askedMs = performance.now();
      const email = `person-${(this.#count += 1)}@example.org`;
      const answer = await this.#send('POST', '/v1/assignments', { email });
      if (answer?.status !== 201) {
        this.refused += 1;
        await sleep(20);
        continue;
      }
      const row = (await answer.json()) as { assignment_id: string; hostname: string };
      this.given.push({ assignmentId: row.assignment_id, askedMs });
      await this.#send('PATCH', `/v1/vms/${row.hostname}`, { status: 'available' });
    }
  }

  #send(method: string, path: string, body: object): Promise<Response | undefined> {
    return fetch(this.gateway.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }).catch(() => undefined);
  }
}

/** Resolves with the time at which the feed was first stale. */
function watchFeed(dashboard: RawClient): Promise<number> {
  return new Promise((resolve) => {
    dashboard.ws.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string; live?: boolean };
      if (message.type === 'feed' && message.live === false) resolve(performance.now());
    });
  });
}

async function judge(
  standby: Standby,
  clients: readonly RawClient[],
  hostnames: readonly string[],
  { given, refused }: Load,
  staleMs: number,
): Promise<Pick<DrillReport, 'assigned' | 'refused' | 'lost' | 'wrong'>> {
  const events = await standby.query<{ id: string }>(
    `SELECT DISTINCT assignment_id AS id FROM vm_events WHERE assignment_id IS NOT NULL`,
  );
  const known = new Set(events.map(({ id }) => id));
  const lost = given.filter(({ assignmentId }) => !known.has(assignmentId));
  const late = lost.filter(({ askedMs }) => askedMs > staleMs);
  const rows = await standby.query<{ hostname: string; id: string | null }>(
    'SELECT hostname, assignment_id AS id FROM vms',
  );
  const table = new Map(rows.map(({ hostname, id }) => [hostname, id]));
  await until('each agent has the state of the new server', () =>
    clients.every((client, n) => readLatest(client) === table.get(hostnames[n] ?? '')),
  );
  const foreign = clients.flatMap((client, n) =>
    listAfterStale(client)
      .filter((id) => !known.has(id))
      .map((id) => `${hostnames[n]} was sent ${id}, which the new server lacks`),
  );
  const closed = clients.filter(({ ws }) => ws.readyState !== ws.OPEN);
  return {
    assigned: given.length,
    refused,
    lost: lost.length,
    wrong: [
      ...late.map(({ assignmentId }) => `201 for ${assignmentId} after the feed was stale`),
      ...foreign,
      ...closed.map(() => 'an agent lost its socket'),
    ],
  };
}

type Vm = { readonly assignment_id?: string | null } | undefined;

/** The assignment in the last state that the agent received; null if the VM has none. */
function readLatest({ messages }: RawClient): string | null | undefined {
  const last = messages.findLast(({ type }) => type === 'assignment' || type === 'status');
  return last === undefined ? undefined : ((last.vm as Vm)?.assignment_id ?? null);
}

/** The assignments that the agent received after it had been sent that the feed is stale. */
function listAfterStale({ messages }: RawClient): string[] {
  const from = messages.findIndex(({ type, live }) => type === 'feed' && live === false);
  return messages
    .slice(from)
    .filter(({ type }) => type === 'assignment')
    .flatMap(({ vm }) => (vm as Vm)?.assignment_id ?? []);
}
