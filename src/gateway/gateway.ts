// The composition root: makes the parts of a gateway and connects them, in the order of the data.
//
// vms row ─trigger─▶ NOTIFY ─▶ feed ─▶ fleet ─▶ hub ─▶ session ─▶ WebSocket agents connect ─▶
// sessions ─▶ presence ─▶ database ─NOTIFY─▶ feed ─▶ presence ─▶ fleet

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { PublicKey } from '../config/public-key.js';
import { LOG_SERIALIZERS } from '../log.js';
import { DASHBOARD_COLUMNS } from '../protocol/row.js';
import { VERSION } from '../version.js';
import { RevokedTokens, rejectRevoked } from './auth/revocations.js';
import { createVerifier } from './auth/token.js';
import { createPool } from './database/pool.js';
import { readRevocations } from './database/revocations.js';
import { checkServers, ServerCheck } from './database/server-identity.js';
import { REQUEST_CONNECTIONS, SharedPool } from './database/shared-pool.js';
import { Feed } from './feed/feed.js';
import { Listener } from './feed/listener.js';
import { Fleet } from './fleet/fleet.js';
import { createHttpApi } from './http/api.js';
import type { HttpLimits } from './http/dependencies.js';
import { throttleFlushes } from './hub/flush-throttle.js';
import { Hub } from './hub/hub.js';
import { createColumnFilter, createRowProjector, type RowProjector } from './hub/projection.js';
import { PushLatency } from './hub/push-latency.js';
import { createMetrics } from './metrics/index.js';
import { PresenceTracker } from './presence/presence.js';
import { RevocationReader } from './revocations/reader.js';
import { Sessions } from './session/sessions.js';
import { RepeatedWarnings } from './stale/repeated-warnings.js';
import { TIMING, type Timing } from './timing.js';

export interface GatewayOptions extends HttpLimits {
  /** Where queries go; may be a pooler. */
  readonly database: pg.ClientConfig;
  /** Where LISTEN goes: directly to the server. */
  readonly listenDatabase: pg.ClientConfig;
  readonly jwtSecrets: readonly string[];
  readonly jwtPublicKeys: readonly PublicKey[];
  /** Columns that a dashboard sees, besides the protocol's. */
  readonly dashboardColumns: readonly string[];
  /** How long an agent may stay away before its VM in use is set failed; undefined for ever. */
  readonly offlineGraceMs?: number | undefined;
  /** How many days events of the audit are kept; 0 for ever, 90 by default. */
  readonly auditDays?: number;
  readonly log: Logger;
  /** How many lines of the log could not be written; by default none. */
  readonly countDroppedLogLines?: () => number;
  readonly timing?: Partial<Timing>;
  /** How full the queue of notifications may be before the log warns, from 0 to 1; for tests. */
  readonly queueWarningRatio?: number;
}

/**
 * Connections for the feed and its heartbeat, for presence, and for requests. The pools are apart,
 * so that a query that waits for a lock cannot delay a heartbeat.
 */
const FEED_CONNECTIONS = 2;
const PRESENCE_CONNECTIONS = 2;

const AUDIT_DAYS = 90;

/** How many deletions a client may miss and still resume. */
const MAX_DELETIONS = 10_000;

export type GatewayServer = ReturnType<typeof createGateway>;

/** Makes a gateway. Nothing is opened before `listen` and `startFeed`. */
export function createGateway(options: GatewayOptions) {
  const log = options.log.child({}, { serializers: LOG_SERIALIZERS });
  const timing = { ...TIMING, ...options.timing };
  const warnings = new RepeatedWarnings(log);
  const gateway = randomBytes(8).toString('hex');
  const servers = new ServerCheck(() => feed.reconnectAfterSplit());
  const pools = createPools(options.database, servers, log);
  const dashboardColumns = [...new Set([...DASHBOARD_COLUMNS, ...options.dashboardColumns])];
  const metrics = createMetrics();
  const latency = new PushLatency(metrics.delivered);

  const fleet = new Fleet(gateway, MAX_DELETIONS);
  const hub = createHub(fleet, createRowProjector(dashboardColumns), latency, timing.flushGapMs);
  const presence = new PresenceTracker({
    gateway,
    pool: pools.presence.pool,
    fleet,
    publish: (entry) => hub.publish(entry),
    offlineGraceMs: options.offlineGraceMs,
    auditDays: options.auditDays ?? AUDIT_DAYS,
    timing,
    metrics,
    log,
  });
  const sessions = new Sessions({
    connected: (hostname) => presence.agentConnected(hostname),
    disconnected: (hostname) => presence.agentDisconnected(hostname),
  });
  const revoked = new RevokedTokens();
  const closeRevoked = (): void => sessions.closeRevoked((identity) => revoked.isRevoked(identity));
  const revocations = new RevocationReader(
    {
      read: async () => {
        // The other pools are discarded whenever LISTEN is lost.
        revoked.replace(await readRevocations(pools.requests.pool));
        closeRevoked();
      },
      failed: (err) =>
        warnings.warn(log, { err }, 'could not read the revoked tokens; trying again'),
    },
    timing,
  );
  const feed: Feed = new Feed({
    gateway,
    fleet,
    connections: {
      pool: pools.feed.pool,
      servers,
      discardFeedIdle: () => pools.feed.discardIdle(),
      probeOthers: () => pools.probeOthers(),
      discardIdle: () => pools.discardIdle(),
      discardOutstanding: () => pools.discardOutstanding(),
    },
    createSource: (channels, events) =>
      new Listener(nameListenSession(options.listenDatabase), channels, events),
    output: {
      publish: (entry) => {
        latency.recordVmPush(hub.publish(entry));
        presence.applyRow(entry);
      },
      invalidatePresence: (hostnames) => presence.invalidate(hostnames),
      invalidateRevocations: () => revocations.invalidate(),
      setLive: (live) => {
        hub.setLive(live);
        presence.setLive(live);
      },
    },
    measure: (handle) => latency.handleArrival(handle),
    timing,
    queueWarningRatio: options.queueWarningRatio,
    metrics,
    log,
  });
  metrics.observe({
    sessions,
    vms: () => fleet.vms(),
    presence: () => fleet.presence(),
    staleRows: () => feed.staleRows,
    setAside: () => ({ row: feed.unreadableRows, presence: presence.setAsideCount }),
    droppedLogLines: options.countDroppedLogLines ?? (() => 0),
    live: () => feed.live,
  });
  const api = createHttpApi({
    gateway,
    version: VERSION,
    pool: new SharedPool(pools.requests.pool),
    hub,
    sessions,
    secrets: options.jwtSecrets,
    verify: rejectRevoked(
      createVerifier([...options.jwtSecrets, ...options.jwtPublicKeys]),
      revoked,
    ),
    limits: options,
    metrics,
    tracker: {
      pushed: (hostname, assignmentId) => presence.addPush(hostname, assignmentId),
      pushedAgoMs: (hostname, assignmentId) => presence.findPushAge(hostname, assignmentId),
      pushWritten: (hostname, assignmentId) => presence.removePush(hostname, assignmentId),
      reported: (hostname) => presence.addReport(hostname),
    },
    heartbeatMs: timing.pingIntervalMs,
    closeHandshakeMs: timing.closeHandshakeMs,
    project: createColumnFilter(dashboardColumns),
    isLoaded: () => feed.loaded,
    notReady: () => feed.problem ?? revocations.problem,
    log,
  });
  const sweep = (): void => {
    sessions.sweep(performance.now(), Date.now());
    // A socket may have opened with a token that was verified before the list was read.
    closeRevoked();
  };
  return createLifecycle({ api, feed, presence, revocations, pools, sweep, timing });
}

interface Parts {
  readonly api: ReturnType<typeof createHttpApi>;
  readonly feed: Feed;
  readonly presence: PresenceTracker;
  readonly revocations: RevocationReader;
  readonly pools: ReturnType<typeof createPools>;
  readonly sweep: () => void;
  readonly timing: Timing;
}

function createLifecycle(parts: Parts) {
  const { api, feed, presence, revocations, pools, sweep, timing } = parts;
  let closed: Promise<void> | undefined;
  const isClosed = (): boolean => closed !== undefined;
  let sweeping: NodeJS.Timeout | undefined;
  const end = async (): Promise<void> => {
    presence.beginDrain();
    await api.end();
    clearInterval(sweeping);
    await feed.stop();
    await Promise.race([
      Promise.all([presence.stop(), revocations.stop()]),
      sleep(timing.closeHandshakeMs, undefined, { ref: false }),
    ]);
    await pools.end();
  };
  return {
    /** Serves HTTP, and returns the URL; the gateway is ready once `startFeed` has caught up. */
    async listen(host: string, port: number): Promise<string> {
      if (isClosed()) throw new Error('the gateway has been closed');
      const url = await api.listen(host, port);
      if (!isClosed()) sweeping = setInterval(sweep, timing.sweepIntervalMs);
      return url;
    },

    /** Returns the OpenAPI document. Needs no database. */
    describe: (): Promise<object> => api.describe(),

    /** Begins to listen to the database; the schema must exist. */
    startFeed(): void {
      if (isClosed()) return;
      revocations.start();
      feed.start();
    },

    /** Sends the clients elsewhere and ends everything. May be called at any time, repeatedly. */
    close: (): Promise<void> => (closed ??= end()),
  };
}

/** Makes the hub and the throttle that flushes it: each calls the other. */
function createHub(
  fleet: Fleet,
  project: RowProjector,
  latency: PushLatency,
  flushGapMs: number,
): Hub {
  const flush = (): void => latency.recordFlush(hub.flush());
  const requestFlush = throttleFlushes(flush, flushGapMs);
  const hub: Hub = new Hub(fleet, project, () => {
    latency.markPending();
    requestFlush();
  });
  return hub;
}

/** The pools go to one address, so they are discarded and ended together. */
function createPools(config: pg.ClientConfig, servers: ServerCheck, log: Logger) {
  const warnings = new RepeatedWarnings(log);
  const onIdleError = (err: Error): void => warnings.warn(log, { err }, 'lost an idle connection');
  const feed = createPool(config, FEED_CONNECTIONS, onIdleError);
  const presence = createPool(config, PRESENCE_CONNECTIONS, onIdleError);
  const requests = createPool(config, REQUEST_CONNECTIONS, onIdleError);
  const pools = [feed, presence, requests];
  for (const { pool } of pools) checkServers(pool, servers);
  return {
    feed,
    presence,
    requests,
    discardIdle: (): void => pools.forEach(({ discardIdle }) => discardIdle()),
    probeOthers: async (): Promise<void> => {
      for (const { pool } of [presence, requests])
        if (pool.totalCount === 0) (await pool.connect()).release(true);
    },
    discardOutstanding: (): void => {
      feed.discardAll();
      presence.discardAll();
    },
    end: async (): Promise<void> => {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/** Makes the LISTEN session distinguishable from the pools' in pg_stat_activity. */
function nameListenSession(config: pg.ClientConfig): pg.ClientConfig {
  const { application_name: name = 'lablink-gateway' } = config;
  return { ...config, application_name: `${name} listen` };
}
