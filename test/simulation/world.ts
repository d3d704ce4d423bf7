// A world: one database at one address, gateways, agents and dashboards, and the networks between
// them. It knows what must hold at every moment, and what must hold at the end.

import { SimulatedAgent, SimulatedDashboard } from './clients.js';
import { ClientNetwork } from './client-network.js';
import { type Change, type Row, type Transaction } from './database.js';
import { SimulatedGateway } from './gateway.js';
import { Ledger } from './ledger.js';
import type { Random } from './random.js';
import { Server } from './server.js';
import { findStatement } from './statements.js';
import { VirtualTime } from './virtual-time.js';

export const HOSTNAMES = ['a', 'vm-ł', 'b', 'c'] as const;

/** Documented in deploy/README.md: what one gateway opens at most. */
const SESSIONS_OF_GATEWAY = 13;
/**
 * How long a gateway may take to notice that something keeps it from being complete and live: a
 * heartbeat's deadline, or a check that waits for a lock, and the time between two of them.
 */
const NOTICE_MS = 20_000;
/** How long the world may take to converge once nothing disturbs it. */
const SETTLE_MS = 300_000;
const CHECK_MS = 500;

export interface WorldOptions {
  readonly gateways: number;
  readonly agents: number;
  readonly dashboards: number;
  readonly present: number;
  readonly failVmOnError: boolean;
  /** The rows at the start were assigned before the gateway was installed. */
  readonly adopted: boolean;
  readonly traced: boolean;
}

/** Something keeps a gateway from being live, since when. */
interface Obstacle {
  readonly what: string;
  readonly sinceMs: number;
}

export class World {
  readonly time: VirtualTime;
  readonly ledger: Ledger;
  readonly network: ClientNetwork;
  readonly gateways: SimulatedGateway[] = [];
  readonly agents: SimulatedAgent[] = [];
  readonly dashboards: SimulatedDashboard[] = [];
  /** The server that the database's address leads to. */
  server: Server;
  /** The transactions that people left open. */
  readonly slots = new Map<number, Transaction>();
  readonly #obstacles = new Map<SimulatedGateway, Obstacle>();
  /** Ends the weathers that still last. */
  readonly #endings = new Set<() => void>();
  #created = 0;

  constructor(random: Random, options: WorldOptions) {
    this.time = new VirtualTime(random);
    this.ledger = new Ledger(options.traced);
    this.server = this.createServer();
    this.network = new ClientNetwork(this.time, () =>
      this.gateways.filter(({ endpoint }) => !endpoint.process.isKilled),
    );
    this.#options = options;
  }

  readonly #options: WorldOptions;

  /** Starts everything; virtual time must be the platform's. */
  start(): void {
    const { gateways, agents, dashboards, present, failVmOnError, adopted } = this.#options;
    for (const hostname of HOSTNAMES.slice(0, present)) {
      this.insert(hostname);
      this.time.runUntil(0);
      if (!adopted) continue;
      this.update(hostname, { status: 'in-use', email: 'x', command: 'before' });
      this.time.runUntil(0);
      this.server.database.adopt(hostname);
    }
    for (let n = 0; n < gateways; n++) this.startGateway();
    const world = {
      network: this.network,
      ledger: this.ledger,
      register: (name: string) => this.#register(name),
    };
    for (const hostname of HOSTNAMES.slice(0, agents))
      this.agents.push(new SimulatedAgent(hostname, world, failVmOnError));
    for (let n = 0; n < dashboards; n++) this.dashboards.push(new SimulatedDashboard(world));
    this.time.every(CHECK_MS, () => this.check());
  }

  createServer(): Server {
    return new Server(this.time, this.ledger, findStatement);
  }

  trace(what: string): void {
    this.ledger.trace?.push(`${this.time.nowMs.toFixed(1)} ${what}`);
  }

  startGateway(): SimulatedGateway {
    const gateway = new SimulatedGateway(`gateway${++this.#created}`, this);
    this.gateways.push(gateway);
    return gateway;
  }

  /** A weather that ends by itself, or when the history is over. */
  during(lastsMs: number, end: () => void): void {
    const ending = (): void => {
      if (!this.#endings.delete(ending)) return;
      end();
    };
    this.#endings.add(ending);
    this.time.outside(lastsMs, ending);
  }

  insert(hostname: string): void {
    this.#transact((tx) => this.server.database.insert(tx, hostname, () => undefined));
  }

  update(hostname: string, change: Change): void {
    if (change.status === this.server.rejectedStatus && change.status !== undefined) return;
    this.#transact((tx) => this.server.database.update(tx, hostname, change, () => undefined));
  }

  delete(hostname: string): void {
    this.#transact((tx) => this.server.database.delete(tx, hostname));
  }

  get mayWrite(): boolean {
    const { isDown, isFrozen, isQueueFull, refusals } = this.server;
    return (
      !isDown &&
      !isFrozen &&
      !isQueueFull &&
      !refusals.has('no-schema') &&
      !refusals.has('read-only')
    );
  }

  /** A change happened without a notification: the next full read finds it. */
  markSilent(): void {
    this.ledger.markSilent(this.time.nowMs);
  }

  /** What must hold at every moment. @throws Violation */
  check(): void {
    if (this.ledger.violation !== undefined) throw this.ledger.violation;
    for (const { failure, hostname } of this.agents)
      if (failure !== undefined) this.ledger.fail(`agent ${hostname} ended: ${describe(failure)}`);
    for (const gateway of this.gateways) {
      const { process } = gateway.endpoint;
      if (process.isKilled) continue;
      this.#checkReady(gateway);
      if (!process.isStopped) this.#checkFleet(gateway);
    }
    this.#checkSessions();
  }

  /** Ends all weathers, and waits until everything is as the table. @throws Violation */
  settle(): void {
    for (const ending of [...this.#endings]) ending();
    for (const tx of this.slots.values()) this.server.database.commit(tx);
    this.slots.clear();
    const untilMs = this.time.nowMs + SETTLE_MS;
    let difference: string | undefined = 'nothing was compared';
    for (let calm = 0; calm < 2;) {
      this.time.runUntil(this.time.nowMs + 1_000);
      this.check();
      difference = this.#findDifference();
      calm = difference === undefined ? calm + 1 : 0;
      if (this.time.nowMs > untilMs)
        this.ledger.fail(`convergence: ${difference ?? 'it does not last'}`);
    }
  }

  #transact(perform: (tx: Transaction) => () => Transaction | undefined): void {
    if (!this.mayWrite) return;
    const { database } = this.server;
    const tx = database.begin();
    const attempt = perform(tx);
    database.perform(
      tx,
      () => {
        const holder = attempt();
        if (holder === undefined) this.time.outside(0, () => database.commit(tx));
        return holder;
      },
      () => undefined,
    );
  }

  #register(hostname: string): void {
    this.time.outside(20, () => this.insert(hostname));
  }

  /** Returns what keeps the gateway from being live, as the model knows it. */
  #findObstacle({ endpoint }: SimulatedGateway): string | undefined {
    const { server } = this;
    const [fault] = endpoint.faults;
    const [refusal] = server.refusals;
    const listening = [...endpoint.links].find(({ kind }) => kind === 'listen');
    const isSplit = listening?.server !== undefined && listening.server !== server;
    if (endpoint.process.isStopped) return undefined;
    if (server.isDown) return 'the server is down';
    if (server.isFrozen) return 'the server is frozen';
    if (server.isQueueFull) return 'the queue is full';
    if (fault !== undefined) return `${fault[0]}: ${fault[1]}`;
    if (refusal !== undefined) return refusal;
    if (isSplit) return 'LISTEN is at another server';
    if ([...server.database.open].some(({ holdsTable }) => holdsTable))
      return 'the table is locked';
    return undefined;
  }

  /** Ready means complete and live: an obstacle is noticed in bounded time. */
  #checkReady(gateway: SimulatedGateway): void {
    const what = this.#findObstacle(gateway);
    const known = this.#obstacles.get(gateway);
    if (what === undefined) this.#obstacles.delete(gateway);
    else if (known?.what !== what) this.#obstacles.set(gateway, { what, sinceMs: this.time.nowMs });
    else if (gateway.isReady && this.time.nowMs - known.sinceMs > NOTICE_MS)
      this.ledger.fail(`falsely ready: ${gateway.name}, though ${what} for ${NOTICE_MS} ms`);
    else if (!gateway.isReady) this.ledger.count('state: not ready behind an obstacle');
  }

  /** If nothing is under way, nothing is stale, and nothing was lost, the fleet is the table. */
  #checkFleet(gateway: SimulatedGateway): void {
    const { feed, fleet, pools } = gateway.realtime;
    const { endpoint } = gateway;
    const { pool } = pools.feed;
    if (!feed.live || feed.staleRows > 0 || endpoint.faults.size > 0) return;
    if (pool.idleCount < pool.totalCount || pool.waitingCount > 0) return;
    const [listening] = [...endpoint.links].filter(({ kind }) => kind === 'listen');
    if (listening?.isQuiet !== true || listening.server !== this.server) return;
    if (gateway.lastFullReadMs <= this.ledger.lastSilentMs) return;
    const difference = compareFleet(fleet, this.server.database.contents.rows);
    if (difference !== undefined)
      this.ledger.fail(`incomplete: ${gateway.name} is live, but ${difference}`);
    this.ledger.count('state: a live fleet was compared');
  }

  #checkSessions(): void {
    const counts = new Map<string, number>();
    for (const { owner } of this.server.sessions) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    for (const [owner, count] of counts) {
      this.ledger.most('sessions of a gateway', count);
      if (count > 2 * SESSIONS_OF_GATEWAY) this.ledger.fail(`sessions: ${owner} has ${count}`);
    }
  }

  #findDifference(): string | undefined {
    const { rows } = this.server.database.contents;
    for (const gateway of this.gateways) {
      if (gateway.endpoint.process.isKilled) continue;
      const difference = compareFleet(gateway.realtime.fleet, rows);
      if (difference !== undefined) return `${gateway.name}: ${difference}`;
      if (!gateway.isReady)
        return `${gateway.name} is not ready: ${gateway.realtime.feed.problem ?? 'revocations'}`;
    }
    for (const { watch } of this.dashboards) {
      if (watch.connection.phase !== 'live') return `a dashboard is ${watch.connection.phase}`;
      const difference = compareStates(watch.state, rows);
      if (difference !== undefined) return `a dashboard: ${difference}`;
    }
    for (const agent of this.agents) {
      const difference = this.#findAgentDifference(agent);
      if (difference !== undefined) return `agent ${agent.hostname}: ${difference}`;
    }
    return undefined;
  }

  #findAgentDifference(agent: SimulatedAgent): string | undefined {
    const { rows } = this.server.database.contents;
    const row = rows.get(agent.hostname);
    if (!agent.isConnected) return 'not connected';
    const { state } = agent;
    const known = state?.type === 'absent' ? undefined : state?.vm.updated_at;
    if (row?.isUnreadable === true) return undefined;
    if (state === undefined || known !== row?.stamp)
      return `knows ${String(known)} instead of ${String(row?.stamp)}`;
    const { assignmentId = null } = row ?? {};
    if (row?.status !== 'in-use' || assignmentId === null || this.ledger.adopted.has(assignmentId))
      return undefined;
    if (!agent.hasRun(assignmentId)) return `has not run ${assignmentId}`;
    if (!this.ledger.acknowledged.has(assignmentId)) return `${assignmentId} is not acknowledged`;
    return undefined;
  }
}

function describe(failure: unknown): string {
  return failure instanceof Error ? failure.message : typeof failure;
}

type Table = ReadonlyMap<string, Row>;

function compareFleet(
  fleet: SimulatedGateway['realtime']['fleet'],
  rows: Table,
): string | undefined {
  for (const hostname of HOSTNAMES) {
    const row = rows.get(hostname);
    if (row?.isUnreadable === true) continue;
    const entry = fleet.get(hostname);
    const known =
      entry?.kind === 'vm'
        ? (JSON.parse(entry.row) as { updated_at: string }).updated_at
        : undefined;
    if (known !== row?.stamp)
      return `${hostname} is ${known ?? 'absent'} instead of ${row?.stamp ?? 'absent'}`;
  }
  return undefined;
}

function compareStates(
  state: ReadonlyMap<string, { updated_at?: unknown }>,
  rows: Table,
): string | undefined {
  for (const hostname of HOSTNAMES) {
    const row = rows.get(hostname);
    if (row?.isUnreadable === true) continue;
    const known = state.get(hostname)?.updated_at;
    if (known !== row?.stamp)
      return `${hostname} is ${String(known)} instead of ${row?.stamp ?? 'absent'}`;
  }
  return undefined;
}
