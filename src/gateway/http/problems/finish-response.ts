// Completes every response just before it is sent: who may store it, whether its connection is
// kept, and how long its client may take to read it.

import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { UnreadResponses } from '../limits/unread-responses.js';

/** How long a client may read nothing of a response before its connection is closed. */
export const UNREAD_TIMEOUT_MS = 20_000;

/** Creates the hook for `onSend`. */
export function createFinishResponse() {
  const unread = new UnreadResponses();
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    payload: unknown,
    done: (error: null, payload: unknown) => void,
  ): void => {
    if (!reply.hasHeader('cache-control')) reply.header('Cache-Control', 'no-store');
    // The rest of a body is not read, and a rejected upgrade cannot be followed by a request.
    if (request.ws || isBodyUnread(request.raw)) reply.header('Connection', 'close');
    const { socket } = request.raw;
    if (socket instanceof Socket && !request.ws) {
      socket.setTimeout(UNREAD_TIMEOUT_MS);
      const { identity } = request;
      const key = identity === null ? undefined : `${identity.role}:${identity.sub}`;
      reply.raw.once('prefinish', () => reply.raw.once('close', unread.add(socket, key)));
    }
    done(
      null,
      payload instanceof Readable ? closeWithSocket(payload, request.raw.socket) : payload,
    );
  };
}

/**
 * Closes the file of a response with its connection. If the connection was lost before the response
 * began, Fastify would leave the file open on Node 20.
 */
function closeWithSocket(file: Readable, socket: Socket): Readable | string {
  if (socket.destroyed) {
    file.destroy();
    return '';
  }
  const close = (): void => void file.destroy();
  socket.once('close', close);
  file.once('close', () => socket.off('close', close));
  return file;
}

/** Whether the request has a body that has not arrived completely. */
export function isBodyUnread({ complete, headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0';
  return !complete && (length !== '0' || headers['transfer-encoding'] !== undefined);
}
