// The composition root: the data path, top to bottom, with the repair beside it.
//
//   vms row ─trigger─▶ NOTIFY ─▶ listener ─▶ intake ─▶ truth ─▶ fleet ─▶ hub ─▶ session ─▶ WebSocket
//   a gap, or doubt: resync reads the table ─▶ truth
//   agents come and go ─▶ presence tracker ─▶ vm_presence ─NOTIFY─▶ listener ─▶ intake ─▶ presence feed reads it ─▶ fleet

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { createVerifier } from './auth/token.js';
import type { PublicKey } from '../config/public-key.js';
import { checkTable, notify, readRows } from './database/fleet-reads.js';
import { isQueueFull } from './database/notification-queue.js';
import { createPool } from './database/pool.js';
import { readPresence } from './database/presence.js';
import { PushLatency } from './hub/push-latency.js';
import { Heartbeat, type MissReason } from './feed/heartbeat.js';
import { createIntake } from './feed/dispatcher.js';
import { Listener } from './feed/listener.js';
import { NOTICES_CHANNEL, PRESENCE_CHANNEL, ROWS_CHANNEL } from './feed/notification.js';
import { PresenceFeed } from './presence/reader.js';
import { Resync } from './feed/resync.js';
import { Truth } from './feed/reconciler.js';
import { Fleet } from './fleet/fleet.js';
import { throttleFlushes } from './hub/flush-throttle.js';
import { createHttpApi, type HttpLimits } from './http/api.js';
import { Hub } from './hub/hub.js';
import { createColumnFilter, createRowProjector } from './hub/projection.js';
import { LOG_SERIALIZERS } from '../log.js';
import { createMetrics } from './metrics/index.js';
import { createPresenceTracker } from './presence/writer.js';
import { DASHBOARD_COLUMNS } from '../protocol/row.js';
import { createQueueAlarm } from './feed/queue-alarm.js';
import { Sessions } from './session/sessions.js';
import { TIMING, type Timing } from './timing.js';
import { VERSION } from '../version.js';

export interface AppOptions extends HttpLimits {
  /** Where queries go; may be a pooler. */
  readonly database: pg.ClientConfig;
  /** Where LISTEN goes: directly to the server. */
  readonly listenDatabase: pg.ClientConfig;
  readonly jwtSecrets: readonly string[];
  readonly jwtPublicKeys: readonly PublicKey[];
  /** Columns a dashboard sees beside the protocol's. */
  readonly dashboardColumns: readonly string[];
  /** How long the agent of a VM in use may stay away before the VM is set failed; undefined: for ever. */
  readonly offlineGraceMs?: number | undefined;
  readonly log: Logger;
  readonly timing?: Partial<Timing>;
  /** From how full a queue of notifications on the log warns. Tests lower it; nobody else should need to. */
  readonly queueWarningRatio?: number;
}

/**
 * Connections for queries: those of the feed, its heartbeat among them, those of presence, and those of requests. Apart,
 * so that what waits for a lock holds up no heartbeat. All go to the same address, and are given up together.
 */
const FEED_CONNECTIONS = 2;
const PRESENCE_CONNECTIONS = 2;
const REQUEST_CONNECTIONS = 8;

/** How many deletions a client may miss and still resume. */
const MAX_DELETIONS = 10_000;

export type App = ReturnType<typeof createApp>;

export function createApp(options: AppOptions) {
  const log = options.log.child({}, { serializers: LOG_SERIALIZERS });
  const timing = { ...TIMING, ...options.timing };
  const gateway = randomBytes(8).toString('hex');
  const heartbeatChannel = `lablink_gateway_${gateway}`;
  const onIdleError = (err: Error): void => log.warn({ err }, 'lost an idle connection');
  const feedPool = createPool(options.database, FEED_CONNECTIONS, onIdleError);
  const presencePool = createPool(options.database, PRESENCE_CONNECTIONS, onIdleError);
  const requestPool = createPool(options.database, REQUEST_CONNECTIONS, onIdleError);
  const pools = [feedPool, presencePool, requestPool];
  const dashboardColumns = [...new Set([...DASHBOARD_COLUMNS, ...options.dashboardColumns])];
  let trouble: string | undefined = 'The database has not been reached yet.';

  const fleet = new Fleet(gateway, MAX_DELETIONS);
  const requestFlush = throttleFlushes(() => delivery.recordFlush(hub.flush()), timing.flushGapMs);
  const hub = new Hub(fleet, createRowProjector(dashboardColumns), () => {
    delivery.markPending();
    requestFlush();
  });
  const truth = new Truth(fleet, (entry) => {
    delivery.recordVmPush(hub.publish(entry));
    presenceFeed.rowChanged(entry);
  });
  const sessions = new Sessions({
    connected: (hostname) => tracker.arrived(hostname),
    disconnected: (hostname) => tracker.left(hostname),
  });

  const metrics = createMetrics({
    sessions,
    vms: () => fleet.vms(),
    presence: () => fleet.presence(),
    doubtfulRows: () => truth.doubtful,
    live: () => resync.live,
  });
  const delivery = new PushLatency(metrics.delivered);

  const queue = createQueueAlarm({
    pool: feedPool.pool,
    warningRatio: options.queueWarningRatio,
    usageSeen: metrics.queueSeen,
    log,
  });

  const resync = new Resync(
    truth,
    {
      read: (request, signal) => readRows(feedPool.pool, request, { signal }),
      check: async () => {
        const table = await checkTable(feedPool.pool);
        queue.seen(table.queueUsage);
        return table;
      },
    },
    {
      liveChanged: (live) => {
        log.info({ vms: fleet.size }, live ? 'the feed is live' : 'the feed is in a gap');
        if (live) trouble = undefined;
        hub.setLive(live);
        presenceFeed.setLive(live);
        // Whoever has read the table lets agents in, and goes on doing so in a gap.
        if (live) tracker.start();
      },
      reading: (request, reason) => {
        log.debug({ read: request.kind, reason }, 'reading');
        metrics.reading(reason);
      },
      failed: (err) => {
        if (!resync.live) trouble = 'The table could not be read.';
        log.warn({ err }, 'could not read the table; trying again');
      },
      triggersOff: () => log.error('the triggers of vms are missing, changed or disabled'),
    },
    timing,
  );

  const presenceFeed = new PresenceFeed(
    fleet,
    {
      read: (hostnames) => readPresence(presencePool.pool, hostnames),
      publish: (entry) => hub.publish(entry),
      failed: (err) => log.warn({ err }, 'could not read presence; trying again'),
    },
    { ...timing, readGapMs: timing.presenceReadGapMs },
  );

  const tracker = createPresenceTracker({
    gateway,
    pool: presencePool.pool,
    leaseMs: timing.leaseMs,
    writeGapMs: timing.presenceWriteGapMs,
    pushWriteGapMs: timing.pushWriteGapMs,
    offlineGraceMs: options.offlineGraceMs,
    metrics,
    onGatewaysChanged: () => presenceFeed.doubtAll(),
    log,
  });

  const heartbeat = new Heartbeat(
    { intervalMs: timing.beatIntervalMs, deadlineMs: timing.beatDeadlineMs },
    {
      send: (beat) => notify(feedPool.pool, heartbeatChannel, beat),
      arrived: (roundTripMs) => {
        metrics.heartbeatArrived(roundTripMs);
        resync.heartbeatArrived();
      },
      missed: (reason, err) => {
        metrics.heartbeatMissed(reason);
        trouble = isQueueFull(err) ? QUEUE_FULL : MISSED[reason];
        if (isQueueFull(err)) queue.look();
        log.warn({ err }, trouble);
        resync.heartbeatMissed();
        for (const { discardIdle } of pools) discardIdle();
        if (reason !== 'failed') listener.reconnect(HEARTBEAT_MISSED);
      },
    },
  );

  const intake = createIntake(truth, {
    taken: metrics.taken,
    rejected: (channel, reason, length) => {
      log.warn({ channel, reason, length }, 'rejected a payload');
      metrics.rejected(reason);
    },
    doubtful: () => resync.wake(),
    presence: (hostnames) => presenceFeed.doubt(hostnames),
    heartbeat: (payload) => heartbeat.received(payload),
    bug: (err) => {
      log.error({ err }, 'a notification could not be handled');
      resync.readAll('check');
    },
  });

  const listener = new Listener(
    { ...options.listenDatabase, application_name: listenName(options.listenDatabase) },
    [ROWS_CHANNEL, NOTICES_CHANNEL, PRESENCE_CHANNEL, heartbeatChannel],
    {
      up: () => {
        resync.listenerUp();
        heartbeat.start();
      },
      down: (err) => {
        // A connection given up for a missed heartbeat was not what is wrong.
        if (err !== HEARTBEAT_MISSED) trouble = 'The LISTEN connection to the database is down.';
        log.warn({ err }, 'not listening');
        heartbeat.stop();
        resync.listenerDown();
        // What the feed has asked is nobody's now, and what took one connection may have taken others without a word: a read,
        // or the renewal of the lease, would wait until it times out. Requests are left to their own deadlines.
        for (const { discardAll } of [feedPool, presencePool]) discardAll();
      },
      notification: (channel, payload) => delivery.handleArrival(() => intake(channel, payload)),
    },
  );

  const surface = createHttpApi({
    gateway,
    version: VERSION,
    pool: requestPool.pool,
    hub,
    sessions,
    signingSecret: options.jwtSecrets[0],
    verify: createVerifier([...options.jwtSecrets, ...options.jwtPublicKeys]),
    limits: options,
    metrics,
    tracker,
    heartbeatMs: timing.pingIntervalMs,
    closeHandshakeMs: timing.closeHandshakeMs,
    project: createColumnFilter(dashboardColumns),
    isLoaded: () => resync.loaded,
    notReady: () => (resync.live ? undefined : trouble),
    log,
  });
  let sweep: NodeJS.Timeout | undefined;
  let ended: Promise<void> | undefined;
  const hasEnded = (): boolean => ended !== undefined;
  const end = async (): Promise<void> => {
    tracker.beginToLeave();
    await surface.end();
    clearInterval(sweep);
    heartbeat.stop();
    resync.stop();
    await listener.stop();
    await Promise.race([tracker.stop(), sleep(timing.closeHandshakeMs, undefined, { ref: false })]);
    await Promise.all(pools.map((pool) => pool.end()));
  };

  return {
    /** Serves HTTP at once, and says so; the feed follows when `startFeed` is called. */
    async listen(host: string, port: number): Promise<string> {
      if (hasEnded()) throw new Error('the gateway has been closed');
      const url = await surface.listen(host, port);
      const runSweep = (): void => sessions.sweep(performance.now(), Date.now());
      if (!hasEnded()) sweep = setInterval(runSweep, timing.sweepIntervalMs);
      return url;
    },

    /** The OpenAPI document. Needs no database. */
    describe: (): Promise<object> => surface.describe(),

    /** Begins to listen to the database, whose schema must be there. */
    startFeed(): void {
      if (hasEnded()) return;
      resync.start();
      listener.start();
    },

    /** Tells the sockets to come back elsewhere and ends everything. Safe to call at any time, and again. */
    close: (): Promise<void> => (ended ??= end()),
  };
}

const HEARTBEAT_MISSED = new Error('no heartbeat arrived');

const MISSED: Readonly<Record<MissReason, string>> = {
  lost:
    'A heartbeat sent through the pool did not reach the listener. Behind a pooler in transaction mode LISTEN hears ' +
    'nothing: set LISTEN_DATABASE_URL to the server itself.',
  unanswered: 'The database does not answer queries.',
  failed: 'The database refuses queries.',
};

const QUEUE_FULL =
  "The server's queue of notifications is full: a session that listens takes nothing. The log names whom to end.";

/** Tells the LISTEN session from the others for whoever looks at pg_stat_activity. */
function listenName({ application_name = 'lablink-gateway' }: pg.ClientConfig): string {
  return `${application_name} listen`;
}
