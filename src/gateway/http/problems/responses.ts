// Sends successful responses: JSON, a row with its version as ETag, and a page with a link to the
// next one.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FoundVm } from '../../database/vms.js';
import { formatTag, isNotModified } from '../request/precondition.js';

/**
 * Sends JSON.
 * @param text the JSON text
 */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}

/** Sends a row, with its version as a strong ETag for `If-Match` (RFC 9110 §8.8.3). */
export function sendVm(reply: FastifyReply, { version, row }: FoundVm): FastifyReply {
  return sendJson(reply.header('ETag', formatTag(version)), row);
}

/** Sends a row as `sendVm` does; 304 without a body if the client has this version. */
export function sendVmIfModified(
  request: FastifyRequest,
  reply: FastifyReply,
  vm: FoundVm,
): FastifyReply {
  if (!isNotModified(request.headers, vm.version)) return sendVm(reply, vm);
  return reply.code(304).header('ETag', formatTag(vm.version)).send();
}

/**
 * Sends a page and, unless it is the last one, the URL of the next page in `Link` (RFC 8288).
 * @param items JSON texts
 * @param beside additional members of the body, as JSON: `"name":value,`
 */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  items: readonly string[],
  next: string | undefined,
  beside = '',
): FastifyReply {
  if (next !== undefined) reply.header('Link', `<${formatNextUrl(request, next)}>; rel="next"`);
  return sendJson(
    reply,
    `{"${name}":[${items.join(',')}],${beside}"next":${JSON.stringify(next ?? null)}}`,
  );
}

/**
 * Formats the URL of the request with another `after`. The path is unchanged, except for characters
 * that would end the link's `<…>`.
 */
function formatNextUrl(request: FastifyRequest, after: string): string {
  // The target of a request may be a whole URL (RFC 9112 §3.2.2).
  const url = request.url.replace(/^https?:\/\/[^/?]*/i, '');
  const [path = ''] = url.split('?', 1);
  const parameters = new URLSearchParams(url.slice(path.length));
  parameters.set('after', after);
  return `${findOrigin(request)}${path.replace(/[<>"]/g, encodeURIComponent)}?${parameters.toString()}`;
}

/**
 * Finds the origin that the client requested, which may come from the headers of a trusted proxy;
 * empty if the request names none, because a relative URL is always right.
 */
function findOrigin({ protocol, host }: FastifyRequest): string {
  const origin = `${protocol}://${host}`;
  if (!/^https?:\/\/[^/?#@]+$/.test(origin) || !URL.canParse(origin)) return '';
  return new URL(origin).origin;
}
