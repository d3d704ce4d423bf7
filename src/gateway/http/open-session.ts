// Opens the session of a client that was admitted, on a WebSocket or an event stream: one place for
// its log, its count, and its start and end.

import type { FastifyRequest } from 'fastify';
import type { Hub } from '../hub/hub.js';
import { Session, type SessionSettings } from '../session/session.js';
import type { Sessions } from '../session/sessions.js';
import type { Socket } from '../session/socket.js';
import type { Stream } from '../session/stream.js';
import { requireIdentity } from './request/access.js';

/** The dependencies of sessions. */
export interface SessionDependencies {
  readonly hub: Hub;
  readonly sessions: Sessions;
  readonly settings: SessionSettings;
  readonly onOpen: (session: Session) => void;
  /** @param code the close code of the socket */
  readonly onClose: (session: Session, code: number) => void;
}

/** The handlers for the end of a transport, besides its session. */
export interface SocketEndHandlers {
  /** Called for an error of the network or the client; `onClose` follows. */
  readonly onError: (error: Error) => void;
  /**
   * Called once.
   * @param code the close code of the socket
   */
  readonly onClose: (code: number) => void;
}

/**
 * Opens the session of a socket and starts its stream.
 * @param attach passes the socket's events to the session; called before anything is sent
 */
export function openSession(
  { sessions, settings, hub, onOpen, onClose }: SessionDependencies,
  request: FastifyRequest,
  socket: Socket,
  stream: Stream,
  attach: (session: Session, end: SocketEndHandlers) => void,
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
  attach(session, {
    onError: (err) => log.debug({ ...ids, err }, 'a socket failed'),
    onClose: (code) => {
      log.debug({ ...ids, role, sub, code: session.closedWith?.code ?? code }, 'a session closed');
      sessions.remove(session);
      onClose(session, code);
    },
  });
  session.start(hub.live);
}
