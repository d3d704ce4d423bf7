// The two URLs of the protocol. Each answers HTTP with the state, read from the database, and an upgrade with the
// state and its changes, from the fleet.

import type { WebSocket } from '@fastify/websocket';
import type pg from 'pg';
import { Type } from 'typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { viewOf } from '../auth/roles.js';
import { findVm, listVms } from '../database/vms.js';
import { parseCursor } from '../fleet/cursor.js';
import type { Hub } from '../hub/hub.js';
import { project } from '../hub/views.js';
import { FLEET_PATH } from '../protocol/paths.js';
import { FleetStream } from '../session/fleet-stream.js';
import { Session, type SessionSettings } from '../session/session.js';
import type { Sessions } from '../session/sessions.js';
import type { Stream } from '../session/stream.js';
import { VmStream } from '../session/vm-stream.js';
import { hostnameOf, identityOf, type Allow } from './access.js';
import { sendProblem } from './problem.js';
import type { HttpServer } from './server.js';
import { attach, WsSocket } from './websocket.js';

export interface VmRoutes {
  readonly pool: pg.Pool;
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly settings: SessionSettings;
  /** What a dashboard sees of a row. */
  readonly dashboardColumns: readonly string[];
  readonly allow: Allow;
  /** Whether the fleet has been read: before that a socket has nothing to be told. */
  readonly isLoaded: () => boolean;
  readonly onOpen: (session: Session) => void;
  /** @param code what the socket ended with. */
  readonly onClose: (session: Session, code: number) => void;
}

/** How many VMs a page holds unless the request says otherwise. */
const PAGE_LIMIT = 100;

const FleetQuery = Type.Object(
  {
    status: Type.Optional(Type.String({ maxLength: 50 })),
    email: Type.Optional(Type.String({ maxLength: 255 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: PAGE_LIMIT })),
    after: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })),
    cursor: Type.Optional(Type.String({ description: 'Only for a WebSocket.' })),
  },
  { additionalProperties: false },
);

export function registerVms(server: HttpServer, routes: VmRoutes): void {
  const { pool, hub, allow } = routes;
  const shown = (request: FastifyRequest, row: string): string =>
    viewOf(identityOf(request).role) === 'full' ? row : project(row, routes.dashboardColumns);

  server.route({
    method: 'GET',
    url: FLEET_PATH,
    schema: { querystring: FleetQuery },
    preValidation: allow('watch-fleet'),
    preHandler: [checkCursor, upgradeOnlyWhenLoaded(routes)],
    handler: async (request, reply) => {
      const { status, email, limit = PAGE_LIMIT, after } = request.query;
      const page = await listVms(pool, { status, email, limit, after });
      const rows = page.rows.map((row) => shown(request, row));
      const next = page.next === undefined ? 'null' : `"${page.next}"`;
      return sendJson(reply, `{"vms":[${rows.join(',')}],"next":${next}}`);
    },
    wsHandler: (ws, request) => {
      const { cursor } = request.query as { cursor?: string };
      const from = cursor === undefined ? undefined : parseCursor(cursor);
      const socket = new WsSocket(ws);
      const view = viewOf(identityOf(request).role);
      openSession(routes, ws, request, socket, new FleetStream(hub, socket, view, from));
    },
  });

  server.route({
    method: 'GET',
    url: `${FLEET_PATH}/:hostname`,
    preValidation: allow('watch-vm'),
    preHandler: [checkHostname, upgradeOnlyWhenLoaded(routes)],
    handler: async (request, reply) => {
      const found = await findVm(pool, hostnameOf(request) ?? '');
      if (found === undefined) {
        return sendProblem(reply, 404, 'vm_not_found', 'There is no VM of this hostname.');
      }
      reply.header('ETag', `"${found.version}"`);
      return sendJson(reply, shown(request, found.row));
    },
    wsHandler: (ws, request) => {
      const socket = new WsSocket(ws);
      const view = viewOf(identityOf(request).role);
      const stream = new VmStream(hub, socket, hostnameOf(request) ?? '', view);
      openSession(routes, ws, request, socket, stream);
    },
  });
}

function openSession(
  { sessions, settings, hub, onOpen, onClose }: VmRoutes,
  ws: WebSocket,
  request: FastifyRequest,
  socket: WsSocket,
  stream: Stream,
): void {
  const session = new Session(socket, stream, settings, identityOf(request), performance.now());
  const { id, identity } = session;
  const { role, sub } = identity;
  request.log.debug({ session: id, kind: stream.kind, role, sub }, 'a session opened');
  onOpen(session);
  sessions.add(session);
  attach(ws, request.raw.socket, session, (code) => {
    const ended = session.closedWith?.code ?? code;
    request.log.debug({ session: id, role, sub, code: ended }, 'a session closed');
    sessions.remove(session);
    onClose(session, code);
  });
  session.start(hub.live);
}

function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}

/** A hook: a cursor that cannot be read is refused before the upgrade. */
async function checkCursor(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { cursor } = request.query as { cursor?: string };
  if (cursor !== undefined && parseCursor(cursor) === undefined) {
    sendProblem(reply, 400, 'invalid_cursor', 'cursor must be one that the gateway sent.');
    await reply;
  }
}

/** A hook: PostgreSQL's text holds no NUL, so there is no such VM, and to ask would be an error. */
async function checkHostname(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (hostnameOf(request)?.includes('\0') ?? true) {
    sendProblem(reply, 400, 'invalid_hostname', 'A hostname holds no NUL.');
    await reply;
  }
}

function upgradeOnlyWhenLoaded({ isLoaded }: VmRoutes) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!request.ws || isLoaded()) return;
    reply.header('Retry-After', '1');
    sendProblem(reply, 503, 'not_ready', 'The gateway has not read the table yet.');
    await reply;
  };
}
