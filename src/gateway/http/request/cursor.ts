// Reads the cursor with which a client resumes. A client of Server-Sent Events sends the id of its
// last event by itself when it reconnects, and that id is the cursor.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseCursor, type Cursor } from '../../fleet/cursor.js';
import { sendProblem } from '../problems/problem.js';
import { wantsEventStream } from './accept.js';

/** Reads the client's cursor; undefined if the client sent none. */
export function readCursor(request: FastifyRequest): Cursor | undefined {
  const text = findCursorText(request);
  return text === undefined ? undefined : parseCursor(text);
}

/** A hook that rejects an invalid cursor before a socket or a stream is opened. */
export async function checkCursor(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (findCursorText(request) === undefined || readCursor(request) !== undefined) return;
  sendProblem(reply, 'invalid_cursor', 'cursor must be one that the gateway sent.');
  await reply;
}

/** `Last-Event-ID` is newer than the URL, which stays the same at every reconnect. */
function findCursorText(request: FastifyRequest): string | undefined {
  const { 'last-event-id': lastEventId = '' } = request.headers;
  if (wantsEventStream(request) && lastEventId !== '') return String(lastEventId);
  const { cursor } = request.query as { readonly cursor?: string };
  return cursor;
}
