// What is common to the two URLs with sockets: who may upgrade, and how a session begins and ends.

import type { WebSocket } from '@fastify/websocket';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Hub } from '../hub/hub.js';
import { Session, type SessionSettings } from '../session/session.js';
import type { Sessions } from '../session/sessions.js';
import type { Stream } from '../session/stream.js';
import { identityOf } from './access.js';
import { sendProblem } from './problem.js';
import { attach, type WsSocket } from './websocket.js';

export interface SocketParts {
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
  { sessions, settings, hub, onOpen, onClose }: SocketParts,
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

/** A hook: no upgrade before there is something to tell. */
export function upgradeOnlyWhenLoaded({ isLoaded }: SocketParts) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!request.ws || isLoaded()) return;
    await sendNotReady(reply);
  };
}

export function sendNotReady(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 'not_ready', 'The gateway has not read the table yet.');
}
