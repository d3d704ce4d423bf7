// What is common to the two URLs with sockets: who may upgrade, and how a session begins and ends.

import type { WebSocket } from '@fastify/websocket';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Hub } from '../../hub/hub.js';
import { Session, type SessionSettings } from '../../session/session.js';
import type { Sessions } from '../../session/sessions.js';
import type { Stream } from '../../session/stream.js';
import { requireIdentity } from '../request/access.js';
import { sendProblem } from '../problems/problem.js';
import { attachSession, isTooLarge, type WsSocket } from './websocket.js';

export interface SocketDependencies {
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly settings: SessionSettings;
  /** Whether the fleet has been read: before that a socket has nothing to be told. */
  readonly isLoaded: () => boolean;
  readonly onOpen: (session: Session) => void;
  /** @param code what the socket ended with. */
  readonly onClose: (session: Session, code: number) => void;
}

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
  // Not the request's own log: nothing of the request is kept as long as the socket but its id.
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

/** A hook: no upgrade before there is something to tell. */
export function createLoadedCheck({ isLoaded }: SocketDependencies) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!request.ws || isLoaded()) return;
    await sendNotReady(reply);
  };
}

/**
 * A hook, the last before an upgrade: lets go of the answer that is not given over HTTP. The connection would keep it,
 * and so the request, as long as the socket: with the log 3.5 kB.
 */
export function detachResponse(
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  if (request.ws && reply.raw.socket !== null) reply.raw.detachSocket(request.raw.socket);
  done();
}

export function sendNotReady(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'not_ready', 'The gateway has not read the table yet.');
}
