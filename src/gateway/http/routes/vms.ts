// The two routes of the protocol. Each answers HTTP with the state from the database, and an
// upgrade with the state and its changes from the fleet. A client without a WebSocket may read the
// same messages as an event stream, or wait for a change of one VM.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { selectProjection } from '../../auth/roles.js';
import { readPresence } from '../../database/presence.js';
import { doInPieces, isLong } from '../../database/read-in-pieces.js';
import { findVm, readVmPage } from '../../database/vms.js';
import { FLEET_PATH } from '../../../protocol/paths.js';
import { FleetStream } from '../../session/fleet-stream.js';
import type { Socket } from '../../session/socket.js';
import { VmStream } from '../../session/vm-stream.js';
import { sendEventStream, type EventStreamDependencies } from '../event-stream/event-stream.js';
import { wantsEventStream } from '../request/accept.js';
import {
  checkHostname,
  readHostname,
  rejectEndedToken,
  requireIdentity,
  type Authorize,
} from '../request/access.js';
import type { Connect } from '../request/connect.js';
import { checkCursor, readCursor } from '../request/cursor.js';
import { createAdmit } from '../limits/admission.js';
import { sendPage, sendVm, sendVmIfModified } from '../problems/responses.js';
import { formatPosition, parsePosition } from '../request/position.js';
import { describeProblems, UPGRADE_PROBLEMS } from '../problems/problem-responses.js';
import { sendNotReady, sendVmNotFound, sendProblem } from '../problems/problem.js';
import { HostnameParams, PAGE_LIMIT } from '../schemas/shared.js';
import {
  GetVmQuery,
  IfNoneMatch,
  LastEventId,
  ListVmsQuery,
  VmPageResponse,
  VmResponse,
} from '../schemas/vms.js';
import type { HttpServer } from '../server.js';
import { detachResponse, openWebSocket, createLoadedCheck } from '../websocket/sockets.js';
import { waitForVersion } from '../websocket/wait.js';

/** The dependencies of these routes. */
export interface VmRoutes extends EventStreamDependencies {
  readonly connect: Connect;
  /** Reduces a row's JSON text to the columns that a dashboard sees. */
  readonly project: (row: string) => string;
  readonly authorize: Authorize;
  /** Called for each assignment that is written to a socket of its agent. */
  readonly onPush: (hostname: string, assignmentId: string) => void;
  /** Aborted when the gateway begins to stop. */
  readonly ending: AbortSignal;
}

/** Registers the routes of VMs. */
export function registerVms(server: HttpServer, routes: VmRoutes): void {
  registerFleet(server, routes);
  registerVm(server, routes);
}

function registerFleet(server: HttpServer, routes: VmRoutes): void {
  const { connect, hub, authorize, acquireSlot } = routes;
  const watch = (request: FastifyRequest) => (socket: Socket) => {
    const projection = selectProjection(requireIdentity(request).role);
    return new FleetStream(hub, socket, projection, readCursor(request));
  };
  server.route({
    method: 'GET',
    url: FLEET_PATH,
    schema: {
      operationId: 'listVms',
      summary: 'List VMs in pages; an upgrade or event stream sends all VMs and their changes',
      description: 'The pages come from the database, the messages from the memory of the gateway.',
      tags: ['vms'],
      querystring: ListVmsQuery,
      headers: LastEventId,
      response: {
        200: VmPageResponse,
        ...describeProblems('invalid_cursor', ...UPGRADE_PROBLEMS),
      },
    },
    onRequest: authorize('watch-fleet'),
    preHandler: [checkCursor, createLoadedCheck(routes), createAdmit(acquireSlot), detachResponse],
    handler: async (request, reply) => {
      if (wantsEventStream(request)) return sendEventStream(routes, request, reply, watch(request));
      const { status, email, sort = 'id', limit = PAGE_LIMIT, after: text } = request.query;
      const after = text === undefined ? undefined : parsePosition(text, sort);
      if (after === null) {
        return sendProblem(
          reply,
          'invalid_cursor',
          'after must be the `next` of a page with the same sort.',
        );
      }
      const source = connect(request, isLong(limit) ? 'list' : 'read');
      const query = { status, email, sort, limit, after };
      const page = await readVmPage(source, query, (row) => projectRow(routes, request, row));
      const rows = page.rows.map(({ row }) => row);
      const hostnames = page.rows.map(({ hostname }) => hostname);
      const known = await doInPieces(hostnames, (piece) => readPresence(source, piece));
      const presence = known.map((one) => one.presence);
      const next = page.next && formatPosition(page.next);
      return sendPage(request, reply, 'vms', rows, next, `"presence":[${presence.join(',')}],`);
    },
    wsHandler: (ws, request) => openWebSocket(routes, ws, request, watch(request)),
  });
}

function registerVm(server: HttpServer, routes: VmRoutes): void {
  const { connect, hub, authorize, acquireSlot } = routes;
  const watch = (request: FastifyRequest) => (socket: Socket) => {
    const { role } = requireIdentity(request);
    const onAssignment = role === 'agent' ? routes.onPush : undefined;
    const hostname = readHostname(request);
    return new VmStream(hub, socket, hostname, selectProjection(role), onAssignment);
  };
  server.route({
    method: 'GET',
    url: `${FLEET_PATH}/:hostname`,
    schema: {
      operationId: 'getVm',
      summary:
        'Read one VM, immediately or when it changes; an upgrade or event stream sends the VM and its changes',
      description:
        'With `wait` the request is answered once the version of the row is not `version`.',
      tags: ['vms'],
      params: HostnameParams,
      querystring: GetVmQuery,
      headers: IfNoneMatch,
      response: {
        200: VmResponse,
        204: Type.Null({ description: 'The VM has not changed within `wait`.' }),
        304: Type.Null({ description: 'The VM has the version of `If-None-Match`.' }),
        ...describeProblems(
          'invalid_hostname',
          'vm_not_found',
          'unreadable_row',
          ...UPGRADE_PROBLEMS,
        ),
      },
    },
    onRequest: authorize('watch-vm'),
    preHandler: [
      checkHostname,
      createLoadedCheck(routes),
      createAdmit(acquireSlot),
      detachResponse,
    ],
    handler: async (request, reply) => {
      if (wantsEventStream(request)) return sendEventStream(routes, request, reply, watch(request));
      const { wait, version = 0 } = request.query;
      if (wait !== undefined) return respondWhenChanged(routes, request, reply, { wait, version });
      const found = await findVm(connect(request, 'read'), readHostname(request));
      if (found === undefined) return sendVmNotFound(reply);
      return sendVmIfModified(request, reply, {
        ...found,
        row: projectRow(routes, request, found.row),
      });
    },
    wsHandler: (ws, request) => openWebSocket(routes, ws, request, watch(request)),
  });
}

/**
 * Answers from the fleet as soon as the VM has another version. Until then the request occupies a
 * connection slot, like a socket.
 */
async function respondWhenChanged(
  routes: VmRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
  { wait, version }: { readonly wait: number; readonly version: number },
): Promise<FastifyReply> {
  if (!routes.isLoaded()) return sendNotReady(reply);
  const releaseSlot = routes.acquireSlot(request, reply);
  if (releaseSlot === undefined) return reply;
  const condition = { hostname: readHostname(request), version, forMs: wait * 1000 };
  const ended = [routes.ending, request.signal];
  const waited = await waitForVersion(routes.hub, condition, ended).finally(releaseSlot);
  if (waited.outcome === 'ended') {
    return sendProblem(reply, 'draining', 'The gateway is stopping; try again.');
  }
  if (waited.outcome === 'up') return reply.code(204).send(null);
  const { requests } = routes.settings;
  if (await rejectEndedToken((token) => requests.verify(token), request, reply)) return reply;
  const { entry } = waited;
  if (entry === undefined) return sendVmNotFound(reply);
  return sendVm(reply, { version: entry.version, row: projectRow(routes, request, entry.row) });
}

/** Reduces a row's JSON text to the columns that the client may see. */
function projectRow({ project }: VmRoutes, request: FastifyRequest, row: string): string {
  return selectProjection(requireIdentity(request).role) === 'full' ? row : project(row);
}
