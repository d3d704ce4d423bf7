// Decides from `Accept` whether a client wants Server-Sent Events instead of a single response (RFC
// 9110 §12.5.1).

import type { FastifyReply, FastifyRequest } from 'fastify';

/** The media type of Server-Sent Events. */
export const EVENT_STREAM = 'text/event-stream';

/**
 * Whether the client asks for a stream: it names the media type, and does not want JSON as much. A
 * wildcard means JSON, because a plain response ends by itself.
 */
export function wantsEventStream({ ws, headers }: FastifyRequest): boolean {
  return !ws && prefersEventStream(headers.accept ?? '');
}

/** Whether the response was an event stream. Its session is logged and counted instead. */
export function isEventStream({ method }: FastifyRequest, reply: FastifyReply): boolean {
  return method === 'GET' && reply.getHeader('content-type') === EVENT_STREAM;
}

/** Decides from the value of `Accept`: see `wantsEventStream`. */
export function prefersEventStream(accept: string): boolean {
  const qualities = new Map(accept.split(',').map(parseRange));
  return (qualities.get(EVENT_STREAM) ?? 0) > (qualities.get('application/json') ?? 0);
}

/** Parses one media range; its quality is 1 unless a valid `q` says otherwise. */
function parseRange(range: string): [mediaType: string, quality: number] {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return [type, quality !== undefined && /^(0|1)(\.\d{0,3})?$/.test(quality) ? Number(quality) : 1];
}
