// Sends a session's messages as Server-Sent Events, for clients that cannot open a WebSocket. The
// session, its stream and its limits are those of a WebSocket; only the transport is another one.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CloseCode } from '../../../protocol/close-codes.js';
import type { Frame } from '../../hub/hub.js';
import type { Socket } from '../../session/socket.js';
import type { Stream } from '../../session/stream.js';
import type { AcquireSlot } from '../limits/admission.js';
import { openSession, type SessionDependencies } from '../open-session.js';
import { sendNotReady } from '../problems/problem.js';
import { EVENT_STREAM } from '../request/accept.js';
import { encodeClose, encodeEvent, encodeRetry, KEEP_ALIVE } from './encode-event.js';

/** How long a client may take to read the rest of a stream that the gateway has ended. */
const CLOSE_TIMEOUT_MS = 3_000;

/** The close code of a connection that ended without a close frame (RFC 6455 §7.4.1). */
const NO_CLOSE_FRAME = 1006;

/** The headers of a stream: no cache stores it, and no proxy collects or changes it. */
const HEADERS = {
  'Content-Type': EVENT_STREAM,
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
  Connection: 'close',
};

/** The dependencies of event streams. */
export interface EventStreamDependencies extends SessionDependencies {
  /** Whether the fleet has been read. Before that there is no state to send. */
  readonly isLoaded: () => boolean;
  readonly acquireSlot: AcquireSlot;
}

/** The transport of a session whose client reads an event stream. */
class EventStreamSocket implements Socket {
  /** Called when a keep-alive comment has left the process. */
  onKeepAlive: (() => void) | undefined;

  constructor(private readonly response: ServerResponse) {}

  /** An event stream has no confirmations. */
  readonly unconfirmedBytes = 0;

  get bufferedAmount(): number {
    return this.response.writableLength;
  }

  send(frame: Frame, cursor?: string): void {
    if (!this.response.writableEnded) this.response.write(encodeEvent(frame, cursor));
  }

  /** A stream has no Pong. Instead, the kernel must have taken all bytes up to the comment. */
  ping(): void {
    if (this.response.writableEnded) return;
    this.response.write(KEEP_ALIVE, (error) => {
      if (!(error instanceof Error)) this.onKeepAlive?.();
    });
  }

  close(close: CloseCode): void {
    if (this.response.writableEnded) return;
    this.response.end(encodeClose(close, Math.random()));
    const timer = setTimeout(() => this.response.destroy(), CLOSE_TIMEOUT_MS).unref();
    this.response.once('close', () => clearTimeout(timer));
  }
}

/**
 * Responds with an event stream: the same messages as on a WebSocket at the same URL. Sends a
 * problem instead if the client would not get a WebSocket either.
 */
export function sendEventStream(
  dependencies: EventStreamDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  createStream: (socket: Socket) => Stream,
): FastifyReply {
  if (!dependencies.isLoaded()) return sendNotReady(reply);
  // A client that has gone already would never release its slot.
  if (request.method === 'HEAD' || request.raw.socket.destroyed) {
    return reply.headers(HEADERS).send('');
  }
  const releaseSlot = dependencies.acquireSlot(request, reply);
  if (releaseSlot === undefined) return reply;
  const response = beginStream(reply, releaseSlot);
  const socket = new EventStreamSocket(response);
  openSession(dependencies, request, socket, createStream(socket), (session, end) => {
    socket.onKeepAlive = () => session.recordActivity(performance.now());
    response.on('drain', () => session.handleDrain(performance.now()));
    response.on('error', end.onError);
    response.once('close', () => {
      session.handleDisconnect();
      end.onClose(NO_CLOSE_FRAME);
    });
  });
  return reply;
}

/** Takes the response over from Fastify, and sends its head and the pause before a reconnect. */
function beginStream(reply: FastifyReply, onClose: () => void): ServerResponse {
  const response = reply.headers(HEADERS).hijack().raw;
  response.once('close', onClose);
  // The sweep of the sessions decides when a client is too slow.
  response.socket?.setTimeout(0);
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(200);
  response.write(encodeRetry('soon', Math.random()));
  return response;
}
