// The path of a change from the database to the sessions, without HTTP: makes its parts and
// connects them in the order of the data. Nothing is opened before the feed starts.
//
// vms row ─trigger─▶ NOTIFY ─▶ feed ─▶ fleet ─▶ hub ─▶ session ─▶ socket
// agents connect ─▶ sessions ─▶ presence ─▶ database ─NOTIFY─▶ feed ─▶ presence ─▶ fleet

import type pg from 'pg';
import type { Logger } from 'pino';
import { DASHBOARD_COLUMNS } from '../protocol/row.js';
import { RevokedTokens } from './auth/revocations.js';
import { createPool } from './database/pool.js';
import { readRevocations } from './database/revocations.js';
import { checkServers, ServerCheck } from './database/server-identity.js';
import { REQUEST_CONNECTIONS } from './database/shared-pool.js';
import { Feed, type FeedMetrics, type FeedOutput } from './feed/feed.js';
import { Listener } from './feed/listener.js';
import { Fleet } from './fleet/fleet.js';
import { throttleFlushes } from './hub/flush-throttle.js';
import { Hub } from './hub/hub.js';
import { createRowProjector, type RowProjector } from './hub/projection.js';
import { PushLatency } from './hub/push-latency.js';
import { PresenceTracker, type PresenceMetrics } from './presence/presence.js';
import { RevocationReader } from './revocations/reader.js';
import { Sessions } from './session/sessions.js';
import { RepeatedWarnings } from './stale/repeated-warnings.js';
import type { Timing } from './timing.js';

export interface RealtimeOptions {
  /** Names the process. */
  readonly gateway: string;
  /** Where queries go; may be a pooler. */
  readonly database: pg.ClientConfig;
  /** Where LISTEN goes: directly to the server. */
  readonly listenDatabase: pg.ClientConfig;
  /** Columns that a dashboard sees, besides the protocol's. */
  readonly dashboardColumns: readonly string[];
  /** How long an agent may stay away before its VM in use is set failed; undefined for ever. */
  readonly offlineGraceMs?: number | undefined;
  /** How many days events of the audit are kept; 0 for ever. */
  readonly auditDays: number;
  readonly timing: Timing;
  /** How full the queue of notifications may be before the log warns, from 0 to 1. */
  readonly queueWarningRatio?: number | undefined;
  readonly metrics: RealtimeMetrics;
  readonly log: Logger;
}

export interface RealtimeMetrics extends FeedMetrics, PresenceMetrics {
  delivered(kind: 'vm' | 'fleet', latencyMs: number): void;
}

/**
 * Connections for the feed and its heartbeat, for presence, and for requests. The pools are apart,
 * so that a query that waits for a lock cannot delay a heartbeat.
 */
const FEED_CONNECTIONS = 2;
const PRESENCE_CONNECTIONS = 2;

/** How many deletions a client may miss and still resume. */
const MAX_DELETIONS = 10_000;

export type Realtime = ReturnType<typeof createRealtime>;

/** Makes the parts. `feed.start` and `revocations.start` begin their work. */
export function createRealtime(options: RealtimeOptions) {
  const { gateway, timing, metrics, log } = options;
  const servers = new ServerCheck(() => feed.reconnectAfterSplit());
  const pools = createPools(options.database, servers, log);
  const dashboardColumns = [...new Set([...DASHBOARD_COLUMNS, ...options.dashboardColumns])];
  const latency = new PushLatency((...push) => metrics.delivered(...push));

  const fleet = new Fleet(gateway, MAX_DELETIONS);
  const hub = createHub(fleet, createRowProjector(dashboardColumns), latency, timing.flushGapMs);
  const presence = new PresenceTracker({
    gateway,
    pool: pools.presence.pool,
    fleet,
    publish: (entry) => hub.publish(entry),
    offlineGraceMs: options.offlineGraceMs,
    auditDays: options.auditDays,
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
  const revocations = createRevocationReader(pools.requests.pool, revoked, closeRevoked, options);
  const feed: Feed = createFeed(
    options,
    { fleet, pools, servers, latency },
    {
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
  );
  /** Called about once a second: the deadlines and limits of sessions. */
  const sweep = (): void => {
    sessions.sweep(performance.now(), Date.now());
    // A socket may have opened with a token that was verified before the list was read.
    closeRevoked();
  };
  return {
    ...{ feed, fleet, hub, sessions, presence, revoked, revocations, pools },
    ...{ dashboardColumns, sweep },
  };
}

function createRevocationReader(
  pool: pg.Pool,
  revoked: RevokedTokens,
  closeRevoked: () => void,
  { timing, log }: RealtimeOptions,
): RevocationReader {
  const warnings = new RepeatedWarnings(log);
  return new RevocationReader(
    {
      read: async () => {
        // The other pools are discarded whenever LISTEN is lost.
        revoked.replace(await readRevocations(pool));
        closeRevoked();
      },
      failed: (err) =>
        warnings.warn(log, { err }, 'could not read the revoked tokens; trying again'),
      recovered: (failures) => log.info({ failures }, 'the revoked tokens are read again'),
    },
    timing,
  );
}

interface FeedParts {
  readonly fleet: Fleet;
  readonly pools: ReturnType<typeof createPools>;
  readonly servers: ServerCheck;
  readonly latency: PushLatency;
}

function createFeed(
  { gateway, listenDatabase, timing, queueWarningRatio, metrics, log }: RealtimeOptions,
  { fleet, pools, servers, latency }: FeedParts,
  output: FeedOutput,
): Feed {
  return new Feed({
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
      new Listener(nameListenSession(listenDatabase), channels, events),
    output,
    measure: (handle) => latency.handleArrival(handle),
    timing,
    queueWarningRatio,
    metrics,
    log,
  });
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
