// Every failure over HTTP is a problem (RFC 9457) with a stable `code` that programs compare.

import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';

declare module 'fastify' {
  interface FastifyReply {
    /** The code of the problem that was answered; null when none was. */
    problem: string | null;
  }
}

/** The body of an answer that is not what was asked for. */
export const Problem = Type.Object({
  type: Type.Literal('about:blank'),
  title: Type.String({ description: 'The status in words.' }),
  status: Type.Integer(),
  code: Type.String({ description: 'Stable; programs compare it.' }),
  detail: Type.String({ description: 'For people.' }),
});

/** Answers with a problem. */
export function sendProblem(
  reply: FastifyReply,
  status: number,
  code: string,
  detail: string,
): FastifyReply {
  const title = STATUS_CODES[status] ?? 'Error';
  reply.problem = code;
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status, code, detail }));
}
