// The HTTP surface, put together: what is turned away first, then the routes, and how serving ends.

import { setMaxListeners } from 'node:events';
import websocket from '@fastify/websocket';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { TrustProxy } from '../../config/address.js';
import type { Verifier } from '../auth/token.js';
import type { Hub } from '../hub/hub.js';
import { ConnectionSlots, type SocketLimits } from '../session/connection-slots.js';
import { findRejectionReason, type OnRejection } from '../session/limits.js';
import type { Session } from '../session/session.js';
import type { Sessions } from '../session/sessions.js';
import { createAuthorize } from './request/access.js';
import { createAcquireSlot } from './limits/admission.js';
import type { OnResponse } from './problems/response-log.js';
import { registerAssignments } from './routes/assignments.js';
import { registerBrowserHeaders } from './plugins/browsers.js';
import { computeCapacity, readOpenFilesLimit } from './limits/capacity.js';
import { registerChanges } from './routes/changes.js';
import { Connections } from './limits/connections.js';
import { registerDashboard } from './plugins/dashboard.js';
import { describeRoutes } from './plugins/document.js';
import { Draining } from './drain.js';
import { registerEnrolments } from './routes/enrolments.js';
import { registerDeliveries } from './routes/deliveries.js';
import { registerEvents } from './routes/events.js';
import { registerHealth, type NotReady } from './routes/health.js';
import { collectMethods } from './plugins/methods.js';
import { registerMetrics, type ReadMetrics } from './routes/metrics.js';
import { createRateLimit } from './plugins/rate-limit.js';
import { sendUpgradeRequestId } from './request/request-id.js';
import { createRequests } from './websocket/requests.js';
import { createServer } from './server.js';
import { guardUpgrades } from './plugins/upgrades.js';
import { registerVms } from './routes/vms.js';
import { corkUpgrade, WEBSOCKET_OPTIONS } from './websocket/websocket.js';

/** What an operator decides of the surface. */
export interface HttpLimits {
  /** Whose pages may use the gateway from a browser, besides its own. */
  readonly allowedOrigins: readonly string[];
  readonly trustProxy: TrustProxy;
  /** How often one identity may ask over HTTP. */
  readonly requestsPerMinute: number;
  /** How many sockets and waiting requests there may be; fewer where the process may not open as many files. */
  readonly socketLimits: SocketLimits;
  /** How long the sockets may take to be told to come back elsewhere when the gateway ends. */
  readonly drainMs: number;
}

/** Who is told of what happens here, and what is read of it. */
export interface HttpMetrics {
  readonly read: ReadMetrics;
  readonly answered: OnResponse;
  readonly refused: OnRejection;
  readonly opened: (session: Session) => void;
  /** @param code what the socket ended with. */
  readonly closed: (session: Session, code: number) => void;
  /** An assignment was acknowledged for the first time, so long after it was made. */
  readonly acknowledged: (tookSeconds: number) => void;
}

/** Who is told of what agents are sent, and of what they report. Must not throw. */
export interface DeliveryTracker {
  /** An assignment was written to a socket of its agent. */
  readonly pushed: (hostname: string, assignmentId: string) => void;
  /** How long ago it was, where that is to be written with its acknowledgement. */
  readonly pushedAgoMs: (hostname: string, assignmentId: string) => number | undefined;
  /** It has been. */
  readonly pushWritten: (hostname: string, assignmentId: string) => void;
  /** What is known of this hostname's agent has changed in the database. */
  readonly reported: (hostname: string) => void;
}

export interface HttpApiDependencies {
  /** Names the process in `welcome`. */
  readonly gateway: string;
  readonly version: string;
  readonly pool: pg.Pool;
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly verify: Verifier;
  /** What agents' tokens are signed with when VMs enrol; undefined: they cannot. */
  readonly signingSecret: string | undefined;
  readonly limits: HttpLimits;
  readonly metrics: HttpMetrics;
  readonly tracker: DeliveryTracker;
  readonly heartbeatMs: number;
  /** How long a closing gateway waits for the close handshakes of its sockets, in ms. */
  readonly closeHandshakeMs: number;
  /** What a dashboard sees of a row. */
  readonly project: (row: string) => string;
  /** Whether the fleet has been read: before that a socket has nothing to be told. */
  readonly isLoaded: () => boolean;
  readonly notReady: NotReady;
  readonly log: Logger;
}

/**
 * How many connections may wait to be accepted: Node's 511 overflow when thousands come back at once, and each that is
 * dropped tries again a second later. The system allows as many as `net.core.somaxconn` says, usually 4,096.
 */
const BACKLOG = 4_096;

export function createHttpApi(dependencies: HttpApiDependencies) {
  const { log, limits, metrics, sessions } = dependencies;
  const onRejection: OnRejection = (reason) => {
    log.debug({ reason }, 'refused');
    metrics.refused(reason);
  };
  const onAnswer: OnResponse = (answer) => {
    metrics.answered(answer);
    const reason = findRejectionReason(answer.problem);
    if (reason !== undefined) onRejection(reason);
  };
  const capacity = computeCapacity(readOpenFilesLimit(), limits.socketLimits.total);
  if (capacity.sockets < limits.socketLimits.total)
    log.info(capacity, 'the limit of open files allows fewer sockets than configured');
  const places = new ConnectionSlots({ ...limits.socketLimits, total: capacity.sockets });
  const server = createServer(log, limits.trustProxy, onAnswer);
  const connections = new Connections(server.server, capacity.connections, onRejection);
  const draining = new Draining(sessions, connections);
  const ending = new AbortController();
  setMaxListeners(0, ending.signal); // one for each request that waits
  let document = (): object => ({});

  server.register(websocket, {
    options: WEBSOCKET_OPTIONS,
    // Until the socket has its session: see sockets.ts.
    errorHandler: (err, _ws, request) => request.log.debug({ err }, 'a socket failed'),
    preClose: (done) => {
      connections.end();
      done();
    },
  });
  guardUpgrades(server, limits.allowedOrigins);
  registerBrowserHeaders(server, limits.allowedOrigins);
  server.register(async (routes) => {
    const { pool, hub, verify, tracker } = dependencies;
    const reports = { ...tracker, acknowledged: metrics.acknowledged };
    const authorize = createAuthorize(
      verify,
      await createRateLimit(routes, limits.requestsPerMinute),
    );
    routes.addHook('onRequest', draining.refuse);
    const answerOtherMethods = collectMethods(routes);
    document = await describeRoutes(routes, dependencies.version);
    routes.websocketServer.on('headers', sendUpgradeRequestId).on('headers', corkUpgrade);
    registerHealth(routes, dependencies.notReady);
    registerMetrics(routes, authorize, metrics.read);
    registerVms(routes, {
      pool,
      hub,
      sessions,
      authorize,
      acquireSlot: createAcquireSlot(places),
      onPush: tracker.pushed,
      project: dependencies.project,
      isLoaded: dependencies.isLoaded,
      ending: ending.signal,
      onOpen: metrics.opened,
      onClose: metrics.closed,
      settings: {
        gateway: dependencies.gateway,
        heartbeatMs: dependencies.heartbeatMs,
        requests: createRequests(pool, verify, reports, log),
        onRejection,
        onBug: (err, { id }) => log.error({ err, session: id }, 'a request of a session failed'),
      },
    });
    registerChanges(routes, pool, authorize);
    registerAssignments(routes, pool, authorize);
    registerEnrolments(routes, pool, authorize, dependencies.signingSecret);
    registerDeliveries(routes, pool, authorize, tracker.reported);
    registerEvents(routes, pool, authorize);
    if (!(await registerDashboard(routes)))
      log.warn('the dashboard is not served: `npm run build` makes it');
    answerOtherMethods();
  });

  return {
    listen: (host: string, port: number): Promise<string> =>
      server.listen({ host, port, backlog: BACKLOG }),

    /** The OpenAPI document. */
    async describe(): Promise<object> {
      await server.ready();
      return document();
    },

    /** Lets nobody new in, tells the sockets to come back elsewhere, and ends what is left. */
    async end(): Promise<void> {
      ending.abort();
      await draining.run(limits.drainMs, dependencies.closeHandshakeMs);
      await server.close();
    },
  };
}
