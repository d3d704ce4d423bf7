// The two URLs of the protocol. Each answers HTTP with the state, read from the database, and an upgrade with the
// state and its changes, from the fleet. One who can hold no socket may wait for one VM to change.

import type pg from 'pg';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { viewOf } from '../../auth/roles.js';
import { readPresence } from '../../database/presence.js';
import { findVm, listVms } from '../../database/vms.js';
import { parseCursor } from '../../fleet/cursor.js';
import { FLEET_PATH } from '../../../protocol/paths.js';
import { FleetStream } from '../../session/fleet-stream.js';
import { VmStream } from '../../session/vm-stream.js';
import { checkHostname, hostnameOf, identityOf, type Allow } from '../request/access.js';
import { createAdmit, type TakePlace } from '../limits/admission.js';
import { sendPage, sendVm } from '../problems/answers.js';
import { formatPosition, parsePosition } from '../request/position.js';
import { problems, UPGRADE_PROBLEMS } from '../problems/problem-answers.js';
import { sendNoVm, sendProblem } from '../problems/problem.js';
import { HostnameParams, PAGE_LIMIT } from '../schemas/shared.js';
import { FleetQuery, VmAnswer, VmPageAnswer, VmQuery } from '../schemas/vms.js';
import type { HttpServer } from '../server.js';
import {
  letGoOfAnswer,
  openSession,
  sendNotReady,
  upgradeOnlyWhenLoaded,
  type SocketParts,
} from '../websocket/sockets.js';
import { waitForVersion } from '../websocket/wait.js';
import { WsSocket } from '../websocket/websocket.js';

export interface VmRoutes extends SocketParts {
  readonly pool: pg.Pool;
  /** What a dashboard sees of a row. */
  readonly project: (row: string) => string;
  readonly allow: Allow;
  readonly takePlace: TakePlace;
  /** Told of each assignment as it is written to a socket of its agent. */
  readonly onPush: (hostname: string, assignmentId: string) => void;
  /** Aborted when the gateway begins to end. */
  readonly ending: AbortSignal;
}

export function registerVms(server: HttpServer, routes: VmRoutes): void {
  registerFleet(server, routes);
  registerVm(server, routes);
}

function registerFleet(server: HttpServer, routes: VmRoutes): void {
  const { pool, hub, allow, takePlace } = routes;
  server.route({
    method: 'GET',
    url: FLEET_PATH,
    schema: {
      operationId: 'listVms',
      summary: 'All VMs, in pages; by upgrade, all VMs and their changes',
      tags: ['vms'],
      querystring: FleetQuery,
      response: { 200: VmPageAnswer, ...problems('invalid_cursor', ...UPGRADE_PROBLEMS) },
    },
    preValidation: allow('watch-fleet'),
    preHandler: [checkCursor, upgradeOnlyWhenLoaded(routes), createAdmit(takePlace), letGoOfAnswer],
    handler: async (request, reply) => {
      const { status, email, sort = 'id', limit = PAGE_LIMIT, after: text } = request.query;
      const after = text === undefined ? undefined : parsePosition(text, sort);
      if (after === null) {
        return sendProblem(reply, 'invalid_cursor', 'after must be the `next` of such a page.');
      }
      const page = await listVms(pool, { status, email, sort, limit, after });
      const rows = page.rows.map(({ row }) => shown(routes, request, row));
      const hostnames = page.rows.map(({ hostname }) => hostname);
      const presence = (await readPresence(pool, hostnames)).map((known) => known.presence);
      const next = page.next && formatPosition(page.next);
      return sendPage(request, reply, 'vms', rows, next, `"presence":[${presence.join(',')}],`);
    },
    wsHandler: (ws, request) => {
      const { cursor } = request.query as { cursor?: string };
      const from = cursor === undefined ? undefined : parseCursor(cursor);
      const socket = new WsSocket(ws, request.raw.socket);
      const view = viewOf(identityOf(request).role);
      openSession(routes, ws, request, socket, new FleetStream(hub, socket, view, from));
    },
  });
}

function registerVm(server: HttpServer, routes: VmRoutes): void {
  const { pool, hub, allow, takePlace } = routes;
  server.route({
    method: 'GET',
    url: `${FLEET_PATH}/:hostname`,
    schema: {
      operationId: 'getVm',
      summary: 'One VM, at once or when it changes; by upgrade, the VM and its changes',
      tags: ['vms'],
      params: HostnameParams,
      querystring: VmQuery,
      response: {
        200: VmAnswer,
        204: Type.Null({ description: 'The time to wait is up, and nothing changed.' }),
        ...problems('invalid_hostname', 'vm_not_found', ...UPGRADE_PROBLEMS),
      },
    },
    preValidation: allow('watch-vm'),
    preHandler: [
      checkHostname,
      upgradeOnlyWhenLoaded(routes),
      createAdmit(takePlace),
      letGoOfAnswer,
    ],
    handler: async (request, reply) => {
      const { wait, version = 0 } = request.query;
      if (wait !== undefined) return answerWhenChanged(routes, request, reply, { wait, version });
      const found = await findVm(pool, hostnameOf(request));
      if (found === undefined) return sendNoVm(reply);
      return sendVm(reply, { ...found, row: shown(routes, request, found.row) });
    },
    wsHandler: (ws, request) => {
      const socket = new WsSocket(ws, request.raw.socket);
      const { role } = identityOf(request);
      const onAssignment = role === 'agent' ? routes.onPush : undefined;
      const stream = new VmStream(hub, socket, hostnameOf(request), viewOf(role), onAssignment);
      openSession(routes, ws, request, socket, stream);
    },
  });
}

/** Answers from the fleet, as soon as the VM's version is another one. Until then it has a place, like a socket. */
async function answerWhenChanged(
  routes: VmRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
  { wait, version }: { readonly wait: number; readonly version: number },
): Promise<FastifyReply> {
  if (!routes.isLoaded()) return sendNotReady(reply);
  const giveBack = routes.takePlace(request, reply);
  if (giveBack === undefined) return reply;
  const wish = { hostname: hostnameOf(request), version, forMs: wait * 1000 };
  const ended = [routes.ending, request.signal];
  const waited = await waitForVersion(routes.hub, wish, ended).finally(giveBack);
  if (waited.outcome === 'ended') {
    return sendProblem(reply, 'draining', 'The gateway is about to end; ask again.');
  }
  if (waited.outcome === 'up') return reply.code(204).send(null);
  const { entry } = waited;
  if (entry === undefined) return sendNoVm(reply);
  return sendVm(reply, { version: entry.version, row: shown(routes, request, entry.row) });
}

/** A row's JSON text as whoever asks may see it. */
function shown({ project }: VmRoutes, request: FastifyRequest, row: string): string {
  return viewOf(identityOf(request).role) === 'full' ? row : project(row);
}

/** A hook: a cursor that cannot be read is refused before the upgrade. */
async function checkCursor(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { cursor } = request.query as { cursor?: string };
  if (cursor !== undefined && parseCursor(cursor) === undefined) {
    sendProblem(reply, 'invalid_cursor', 'cursor must be one that the gateway sent.');
    await reply;
  }
}
