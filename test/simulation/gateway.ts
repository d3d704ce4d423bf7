// A gateway of the simulation: the real parts of src, on the modelled database and network. Only
// HTTP is missing; sockets are opened as its upgrade does.

import type pg from 'pg';
import type { Logger } from 'pino';
import type { Identity } from '../../src/gateway/auth/token.js';
import { SharedPool } from '../../src/gateway/database/shared-pool.js';
import { parseCursor } from '../../src/gateway/fleet/cursor.js';
import { createRequests } from '../../src/gateway/http/websocket/requests.js';
import { createRealtime, type Realtime, type RealtimeMetrics } from '../../src/gateway/realtime.js';
import { FleetStream } from '../../src/gateway/session/fleet-stream.js';
import { Session, type SessionSettings } from '../../src/gateway/session/session.js';
import type { Socket } from '../../src/gateway/session/socket.js';
import { VmStream } from '../../src/gateway/session/vm-stream.js';
import { TIMING } from '../../src/gateway/timing.js';
import type { Ledger } from './ledger.js';
import { Endpoint, type LinkKind } from './link.js';
import { SimulatedClient, type Route } from './pg-client.js';
import type { Server } from './server.js';
import type { VirtualTime } from './virtual-time.js';

export interface GatewayWorld {
  readonly time: VirtualTime;
  readonly ledger: Ledger;
  /** The server that the database's address leads to now. */
  readonly server: Server;
}

export class SimulatedGateway {
  readonly endpoint: Endpoint;
  readonly realtime: Realtime;
  readonly #settings: SessionSettings;
  /** When the last read of everything began, in ms. */
  lastFullReadMs = -1;

  constructor(
    readonly name: string,
    private readonly world: GatewayWorld,
  ) {
    const { time } = world;
    this.endpoint = new Endpoint(name, time);
    const log = this.#createLog();
    this.realtime = time.runIn(this.endpoint.process, () =>
      createRealtime({
        gateway: name,
        database: this.#configure('queries'),
        listenDatabase: this.#configure('listen'),
        dashboardColumns: [],
        auditDays: 90,
        timing: TIMING,
        metrics: this.#createMetrics(),
        log,
      }),
    );
    const { presence, pools } = this.realtime;
    const shared = new SharedPool(pools.requests.pool);
    const requests = createRequests(
      (identity) => shared.share({ identity, priority: 'report' }),
      () => ({ ok: false, reason: 'invalid' }),
      {
        pushedAgoMs: (hostname, id) => presence.findPushAge(hostname, id),
        pushWritten: (hostname, id) => presence.removePush(hostname, id),
        reported: (hostname) => presence.addReport(hostname),
        acknowledged: () => undefined,
      },
      log,
    );
    this.#settings = {
      gateway: name,
      heartbeatMs: TIMING.pingIntervalMs,
      requests,
      onRejection: () => undefined,
      onBug: (error) => {
        throw error;
      },
    };
    time.runIn(this.endpoint.process, () => {
      this.realtime.revocations.start();
      this.realtime.feed.start();
      time.every(TIMING.sweepIntervalMs, () => this.realtime.sweep());
    });
  }

  /** As `/health/ready` answers. */
  get isReady(): boolean {
    return (
      this.realtime.feed.problem === undefined && this.realtime.revocations.problem === undefined
    );
  }

  /** Opens the session of a socket, as the upgrade does. */
  openSession(socket: Socket, identity: Identity, path: string): Session {
    const { hub, sessions, presence } = this.realtime;
    const url = new URL(path, 'ws://gateway');
    const [, hostname] = /^\/v1\/vms\/([^/]+)$/.exec(url.pathname) ?? [];
    const cursor = url.searchParams.get('cursor');
    const stream =
      hostname === undefined
        ? new FleetStream(hub, socket, 'full', cursor === null ? undefined : parseCursor(cursor))
        : new VmStream(hub, socket, decodeURIComponent(hostname), 'full', (name, id) =>
            presence.addPush(name, id),
          );
    if (cursor !== null && hub.fleet.canResume(parseCursor(cursor) ?? { epoch: '', offset: 0 }))
      this.world.ledger.count('state: a cursor was resumed');
    const session = new Session(socket, stream, this.#settings, identity, performance.now());
    sessions.add(session);
    return session;
  }

  countLagging(): void {
    this.world.ledger.count('state: a client lagged');
  }

  /** The process ends at once: nothing of it runs any longer. */
  kill(): void {
    this.endpoint.process.isKilled = true;
    for (const kind of ['listen', 'queries'] as const) this.endpoint.cut(kind);
  }

  #configure(kind: LinkKind): pg.ClientConfig {
    const route: Route = {
      endpoint: this.endpoint,
      kind,
      server: () => this.world.server,
      notified: (channel, payload) => this.#observe(channel, payload),
    };
    return { route, Client: SimulatedClient } as pg.ClientConfig;
  }

  /** Counts notifications that are older than a deletion. */
  #observe(channel: string, payload: string): void {
    if (channel !== 'vm_updates') return;
    const { hostname, version } = JSON.parse(payload) as { hostname: string; version: number };
    const entry = this.realtime.fleet.get(hostname);
    if (entry?.kind === 'deleted' && version <= entry.version)
      this.world.ledger.count('state: tombstone used');
  }

  #createMetrics(): RealtimeMetrics {
    const { ledger } = this.world;
    const ignore = (): void => undefined;
    return {
      delivered: ignore,
      notificationHandled: (_, outcome) => ledger.count(`notification: ${outcome}`),
      notificationRejected: ignore,
      notificationContradicted: () => ledger.count('state: notification contradicted'),
      heartbeatArrived: ignore,
      heartbeatMissed: (reason) => ledger.count(`heartbeat: ${reason}`),
      readStarted: (reason) => {
        ledger.count(`read: ${reason}`);
        if (reason !== 'stale') this.lastFullReadMs = this.world.time.nowMs;
      },
      queueUsageObserved: ignore,
      presenceWritten: ignore,
      leaseLost: () => ledger.count('state: lease lost'),
      rowsPruned: ignore,
      auditMeasured: ignore,
      failedAbsent: ignore,
    };
  }

  #createLog(): Logger {
    const { ledger, time } = this.world;
    const write = (level: string) => (context: unknown, message?: string) => {
      const text = typeof context === 'string' ? context : (message ?? '');
      const state = STATES.find(([start]) => text.startsWith(start))?.[1];
      if (state !== undefined) ledger.count(`state: ${state}`);
      ledger.trace?.push(
        `${time.nowMs.toFixed(1)} ${this.name} ${level} ${text}${describeError(context)}`,
      );
    };
    const log = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    };
    return { ...log, child: () => log } as unknown as Logger;
  }
}

/** States that the log reports, by the beginning of the text. */
const STATES: readonly (readonly [start: string, state: string])[] = [
  ["The database's address led to another server", 'servers split'],
  ['a row cannot be read', 'a row could not be read'],
  ['the database cannot store the presence', 'a hostname was set aside'],
];

function describeError(context: unknown): string {
  if (typeof context !== 'object' || context === null) return '';
  const { err, ...others } = context as { err?: unknown };
  const text = Object.keys(others).length === 0 ? '' : ` ${JSON.stringify(others)}`;
  return err instanceof Error ? `${text}: ${err.message}` : text;
}
