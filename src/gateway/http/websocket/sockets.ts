// Shared by the two routes with WebSockets: the hooks before an upgrade, and the session after it.

import type { WebSocket } from '@fastify/websocket';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Stream } from '../../session/stream.js';
import { openSession, type SessionDependencies } from '../open-session.js';
import { sendNotReady } from '../problems/problem.js';
import { attachSession, isTooLarge, WsSocket } from './websocket.js';

/** Opens the session of an upgraded WebSocket. */
export function openWebSocket(
  dependencies: SessionDependencies,
  ws: WebSocket,
  request: FastifyRequest,
  createStream: (socket: WsSocket) => Stream,
): void {
  const tcp = request.raw.socket;
  const socket = new WsSocket(ws, tcp);
  openSession(dependencies, request, socket, createStream(socket), (session, end) =>
    attachSession({ ws, tcp, socket }, session, {
      onError: (error) => {
        if (isTooLarge(error)) dependencies.settings.onRejection('message_too_large');
        end.onError(error);
      },
      onClose: end.onClose,
    }),
  );
}

/** Creates the hook that rejects upgrades before the fleet has been read. */
export function createLoadedCheck({ isLoaded }: { readonly isLoaded: () => boolean }) {
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
