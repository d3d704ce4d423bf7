// Assigns each request an id, which its log lines and its response contain. The id is taken from
// the request's header, as a proxy sets it, if it is safe for a log; otherwise it is new.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

const HEADER = 'x-request-id';
const LOG_SAFE = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Assigns the id of a request, and writes it into the header, for code that has only the raw
 * request.
 */
export function assignRequestId(raw: Pick<IncomingMessage, 'headers'>): string {
  const given = raw.headers[HEADER];
  const id = typeof given === 'string' && LOG_SAFE.test(given) ? given : randomUUID();
  raw.headers[HEADER] = id;
  return id;
}

/** Adds the id of the request to its response. */
export function sendRequestId({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.header(HEADER, id);
}

/**
 * Adds the id to the response to an upgrade, which ws writes. A listener of its `headers` event.
 */
export function sendUpgradeRequestId(lines: string[], { headers }: IncomingMessage): void {
  lines.push(`X-Request-Id: ${String(headers[HEADER])}`);
}
