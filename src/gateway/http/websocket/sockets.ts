// Shared by the two routes with WebSockets: the hooks before an upgrade, and the start and end of a
// session.

import type { WebSocket } from '@fastify/websocket';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Hub } from '../../hub/hub.js';
import { Session, type SessionSettings } from '../../session/session.js';
import type { Sessions } from '../../session/sessions.js';
import type { Stream } from '../../session/stream.js';
import { requireIdentity } from '../request/access.js';
import { sendProblem } from '../problems/problem.js';
import { attachSession, isTooLarge, type WsSocket } from './websocket.js';

/** The dependencies of routes with WebSockets. */
export interface SocketDependencies {
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly settings: SessionSettings;
  /** Whether the fleet has been read. Before that there is no state to send. */
  readonly isLoaded: () => boolean;
  readonly onOpen: (session: Session) => void;
  /** @param code the close code of the socket */
  readonly onClose: (session: Session, code: number) => void;
}

/** Starts the session of an upgraded socket. */
export function openSession(
  { sessions, settings, hub, onOpen, onClose }: SocketDependencies,
  ws: WebSocket,
  request: FastifyRequest,
  socket: WsSocket,
  stream: Stream,
): void {
  const session = new Session(
    socket,
    stream,
    settings,
    requireIdentity(request),
    performance.now(),
  );
  const { role, sub } = session.identity;
  // Not the log of the request, because only the id of the request is kept as long as the socket.
  const { log } = request.server;
  const ids = { reqId: request.id, session: session.id };
  log.debug({ ...ids, kind: stream.kind, role, sub }, 'a session opened');
  onOpen(session);
  sessions.add(session);
  attachSession(ws, request.raw.socket, session, {
    onError: (err) => {
      if (isTooLarge(err)) settings.onRejection('message_too_large');
      log.debug({ ...ids, err }, 'a socket failed');
    },
    onClose: (code) => {
      log.debug({ ...ids, role, sub, code: session.closedWith?.code ?? code }, 'a session closed');
      sessions.remove(session);
      onClose(session, code);
    },
  });
  session.start(hub.live);
}

/** Creates the hook that rejects upgrades before the fleet has been read. */
export function createLoadedCheck({ isLoaded }: SocketDependencies) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!request.ws || isLoaded()) return;
    await sendNotReady(reply);
  };
}

/**
 * A hook, the last before an upgrade: detaches the unused HTTP response from the connection. The
 * connection would otherwise keep the response and its request as long as the socket: 3.5 kB with
 * the log.
 */
export function detachResponse(
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  if (request.ws && reply.raw.socket !== null) reply.raw.detachSocket(request.raw.socket);
  done();
}

/** Sends the problem that the fleet has not been read. */
export function sendNotReady(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'not_ready', 'The gateway has not read the table yet.');
}
