// Each request has an id, which stands in its log lines and in its answer: the one it came with, as a proxy gives it,
// or a new one. What it came with is used only if it is fit for a log.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

const HEADER = 'x-request-id';
const LOG_SAFE = /^[A-Za-z0-9._-]{1,64}$/;

/** The id of a request. Afterwards its header says the same, for whoever sees only the raw request. */
export function assignRequestId(raw: Pick<IncomingMessage, 'headers'>): string {
  const given = raw.headers[HEADER];
  const id = typeof given === 'string' && LOG_SAFE.test(given) ? given : randomUUID();
  raw.headers[HEADER] = id;
  return id;
}

/** Puts the id of the request into its answer. */
export function sendRequestId({ id }: FastifyRequest, reply: FastifyReply): void {
  reply.header(HEADER, id);
}

/** The same for the answer to an upgrade, which ws writes: a listener of its `headers` event. */
export function sendUpgradeRequestId(lines: string[], { headers }: IncomingMessage): void {
  lines.push(`X-Request-Id: ${String(headers[HEADER])}`);
}
