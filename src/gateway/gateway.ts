// The composition root: makes the parts of a gateway and connects them. What passes a change from
// the database to the sessions is in realtime.ts; here come HTTP, the sweep, and the end.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { PublicKey } from '../config/public-key.js';
import { LOG_SERIALIZERS } from '../log.js';
import { VERSION } from '../version.js';
import { rejectRevoked } from './auth/revocations.js';
import { createVerifier } from './auth/token.js';
import { SharedPool } from './database/shared-pool.js';
import { createHttpApi } from './http/api.js';
import type { HttpLimits } from './http/dependencies.js';
import { createColumnFilter } from './hub/projection.js';
import { createMetrics } from './metrics/index.js';
import { createRealtime, type Realtime } from './realtime.js';
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

const AUDIT_DAYS = 90;

export type GatewayServer = ReturnType<typeof createGateway>;

/** Makes a gateway. Nothing is opened before `listen` and `startFeed`. */
export function createGateway(options: GatewayOptions) {
  const log = options.log.child({}, { serializers: LOG_SERIALIZERS });
  const timing = { ...TIMING, ...options.timing };
  const gateway = randomBytes(8).toString('hex');
  const metrics = createMetrics();
  const realtime = createRealtime({
    ...options,
    gateway,
    auditDays: options.auditDays ?? AUDIT_DAYS,
    timing,
    metrics,
    log,
  });
  const { feed, fleet, hub, sessions, presence, revoked, revocations, pools } = realtime;
  metrics.observe({
    sessions,
    vms: () => fleet.vms(),
    presence: () => fleet.presence(),
    staleRows: () => feed.staleRows,
    setAside: () => ({ row: feed.unreadableRows, presence: presence.setAsideCount }),
    droppedLogLines: options.countDroppedLogLines ?? (() => 0),
    live: () => feed.live,
    revocations: () => ({ known: revoked.size, ageMs: revocations.ageMs }),
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
    clientTimeoutMs: timing.clientTimeoutMs,
    closeHandshakeMs: timing.closeHandshakeMs,
    project: createColumnFilter(realtime.dashboardColumns),
    isLoaded: () => feed.loaded,
    notReady: () => feed.problem ?? revocations.problem,
    log,
  });
  return createLifecycle({ ...realtime, api, timing });
}

interface Parts extends Realtime {
  readonly api: ReturnType<typeof createHttpApi>;
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
