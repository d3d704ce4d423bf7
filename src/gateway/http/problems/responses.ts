// The shapes of good answers: a row with its version as ETag, and a page with a link to the next.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FoundVm } from '../../database/vms.js';

/** @param text JSON. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}

/** A row, and its version as the strong ETag that `If-Match` takes back (RFC 9110 §8.8.3). */
export function sendVm(reply: FastifyReply, { version, row }: FoundVm): FastifyReply {
  return sendJson(reply.header('ETag', `"${version}"`), row);
}

/**
 * A page, and where there is a next one its URL in `Link` (RFC 8288).
 * @param items each JSON
 * @param beside more members of the body, as JSON: `"name":value,`
 */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  items: readonly string[],
  next: string | undefined,
  beside = '',
): FastifyReply {
  if (next !== undefined) reply.header('Link', `<${withAfter(request.url, next)}>; rel="next"`);
  return sendJson(
    reply,
    `{"${name}":[${items.join(',')}],${beside}"next":${JSON.stringify(next ?? null)}}`,
  );
}

/** The same URL with this `after`. Its path stays as it came, but for what would end the link's `<…>`. */
function withAfter(url: string, after: string): string {
  const [path = ''] = url.split('?', 1);
  const parameters = new URLSearchParams(url.slice(path.length));
  parameters.set('after', after);
  return `${path.replace(/[<>"]/g, encodeURIComponent)}?${parameters.toString()}`;
}
