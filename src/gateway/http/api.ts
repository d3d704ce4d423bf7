// Assembles the HTTP API: the checks before all routes, the routes, and how serving ends.

import { setMaxListeners } from 'node:events';
import type { AddressInfo } from 'node:net';
import websocket from '@fastify/websocket';
import { ConnectionSlots } from '../session/connection-slots.js';
import { findRejectionReason, type OnRejection } from '../session/limits.js';
import type { HttpApiDependencies } from './dependencies.js';
import { FurtherListeners, resolveAddresses } from './addresses.js';
import { Draining } from './drain.js';
import { createAcquireSlot } from './limits/admission.js';
import { computeCapacity, readOpenFilesLimit } from './limits/capacity.js';
import { Connections } from './limits/connections.js';
import { registerBrowserHeaders } from './plugins/browsers.js';
import { registerDashboard } from './plugins/dashboard.js';
import { describeRoutes } from './plugins/document.js';
import { collectMethods } from './plugins/methods.js';
import { createRateLimit } from './plugins/rate-limit.js';
import { guardUpgrades } from './plugins/upgrades.js';
import type { OnResponse } from './problems/response-log.js';
import { createAuthorize, type Authorize } from './request/access.js';
import { createConnect } from './request/connect.js';
import { sendUpgradeRequestId } from './request/request-id.js';
import { registerAssignments } from './routes/assignments.js';
import { registerBulkChanges } from './routes/bulk-changes.js';
import { registerChanges } from './routes/changes.js';
import { registerDeliveries } from './routes/deliveries.js';
import { registerEnrolments } from './routes/enrolments.js';
import { registerEvents } from './routes/events.js';
import { registerHealth } from './routes/health.js';
import { registerMetrics } from './routes/metrics.js';
import { registerSignIns } from './routes/sign-ins.js';
import { registerVms, type VmRoutes } from './routes/vms.js';
import { createServer, type HttpServer } from './server.js';
import { createRequests } from './websocket/requests.js';
import { corkUpgrade, WEBSOCKET_OPTIONS } from './websocket/websocket.js';

/**
 * The limit of connections that wait to be accepted. Node's 511 overflow when thousands of clients
 * reconnect together, and each dropped connection is retried a second later. The system allows at
 * most `net.core.somaxconn`, usually 4,096.
 */
const BACKLOG = 4_096;

/** The state that the routes share with the server. */
interface ServerState {
  readonly slots: ConnectionSlots;
  readonly draining: Draining;
  readonly onRejection: OnRejection;
  /** Aborted when the gateway begins to stop. */
  readonly stopping: AbortSignal;
}

/** Creates the HTTP API, which does not listen yet. */
export function createHttpApi(dependencies: HttpApiDependencies) {
  const { log, limits, metrics, sessions } = dependencies;
  const onRejection: OnRejection = (reason) => {
    log.debug({ reason }, 'rejected');
    metrics.refused(reason);
  };
  const onResponse: OnResponse = (response) => {
    metrics.answered(response);
    const reason = findRejectionReason(response.problem);
    if (reason !== undefined) onRejection(reason);
  };
  const capacity = computeCapacity(readOpenFilesLimit(), limits.socketLimits.total);
  if (capacity.sockets < limits.socketLimits.total)
    log.info(capacity, 'the limit of open files allows fewer sockets than configured');
  const slots = new ConnectionSlots({ ...limits.socketLimits, total: capacity.sockets });
  const server = createServer(log, limits.trustProxy, onResponse);
  const connections = new Connections(server.server, capacity.connections, onRejection);
  const further = new FurtherListeners(server.server);
  const draining = new Draining(sessions, connections);
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // Each waiting request adds one.
  const state = { slots, draining, onRejection, stopping: stopping.signal };
  let createDocument = (): object => ({});

  registerWebSockets(server, connections);
  guardUpgrades(server, limits.allowedOrigins);
  registerBrowserHeaders(server, limits.allowedOrigins);
  server.register(async (routes) => {
    createDocument = await registerRoutes(routes, dependencies, state);
  });

  return {
    /** Listens on every address of the host, and returns the URL of the first. */
    async listen(host: string, port: number): Promise<string> {
      const [first = host, ...others] = await resolveAddresses(host);
      const url = await server.listen({ host: first, port, backlog: BACKLOG });
      const { port: bound } = server.server.address() as AddressInfo;
      const also = await further.listen(others, bound, BACKLOG);
      if (also.length > 0) log.info({ also }, 'listening on further addresses of the host');
      return url;
    },

    /** Returns the OpenAPI document. */
    async describe(): Promise<object> {
      await server.ready();
      return createDocument();
    },

    /** Rejects new requests, closes the sockets one after the other, and then everything else. */
    async end(): Promise<void> {
      stopping.abort();
      await draining.run(limits.drainMs, dependencies.closeHandshakeMs);
      further.close();
      await server.close();
    },
  };
}

function registerWebSockets(server: HttpServer, connections: Connections): void {
  server.register(websocket, {
    options: WEBSOCKET_OPTIONS,
    // Until the socket has its session: see sockets.ts.
    errorHandler: (err, _ws, request) => request.log.debug({ err }, 'a socket failed'),
    preClose: (done) => {
      connections.end();
      done();
    },
  });
}

/**
 * Registers all routes.
 * @returns a function that creates their OpenAPI document
 */
async function registerRoutes(
  routes: HttpServer,
  dependencies: HttpApiDependencies,
  state: ServerState,
): Promise<() => object> {
  const { pool, secrets, verify, tracker, limits, metrics, log } = dependencies;
  const connect = createConnect(pool);
  const authorize = createAuthorize(
    verify,
    await createRateLimit(routes, limits.requestsPerMinute),
  );
  routes.addHook('onRequest', state.draining.reject);
  const registerOtherMethods = collectMethods(routes);
  const createDocument = await describeRoutes(routes, dependencies.version);
  routes.websocketServer.on('headers', sendUpgradeRequestId).on('headers', corkUpgrade);
  registerHealth(routes, dependencies.notReady);
  registerMetrics(routes, authorize, metrics.read);
  registerVms(routes, createVmRoutes(dependencies, authorize, state));
  registerChanges(routes, connect, authorize);
  registerBulkChanges(routes, connect, authorize);
  registerAssignments(routes, connect, authorize);
  registerEnrolments(routes, connect, authorize, secrets[0]);
  registerSignIns(routes, pool.share({ identity: 'sign-ins', priority: 'change' }), secrets);
  registerDeliveries(routes, connect, authorize, tracker.reported);
  registerEvents(routes, connect, authorize);
  if (!(await registerDashboard(routes)))
    log.warn('the dashboard is not served: `npm run build` builds it');
  registerOtherMethods();
  return createDocument;
}

function createVmRoutes(
  dependencies: HttpApiDependencies,
  authorize: Authorize,
  { slots, onRejection, stopping }: ServerState,
): VmRoutes {
  const { pool, hub, sessions, verify, tracker, metrics, log } = dependencies;
  const reports = { ...tracker, acknowledged: metrics.acknowledged };
  return {
    connect: createConnect(pool),
    hub,
    sessions,
    authorize,
    acquireSlot: createAcquireSlot(slots),
    onPush: tracker.pushed,
    project: dependencies.project,
    isLoaded: dependencies.isLoaded,
    ending: stopping,
    onOpen: metrics.opened,
    onClose: metrics.closed,
    settings: {
      gateway: dependencies.gateway,
      heartbeatMs: dependencies.heartbeatMs,
      clientTimeoutMs: dependencies.clientTimeoutMs,
      requests: createRequests(
        (identity) => pool.share({ identity, priority: 'report' }),
        verify,
        reports,
        log,
      ),
      onRejection,
      onBug: (err, { id }) => log.error({ err, session: id }, 'a request of a session failed'),
    },
  };
}
