// What was answered, told once a request, without anything that a stranger wrote: a route is a pattern, a problem one
// of our codes. An upgrade that succeeds is a session and no answer.

import type { FastifyReply, FastifyRequest } from 'fastify';

export interface LoggedResponse {
  readonly at: 'http' | 'upgrade';
  /** A method and a pattern, as in `GET /v1/vms/:hostname`; `none` where there is no such route. */
  readonly route: string;
  readonly status: number;
  /** The code of the problem that was answered, if one was. */
  readonly problem: string | undefined;
}

export type OnResponse = (answer: LoggedResponse) => void;

/** The answer to a request, once it has been sent. */
export function describeResponse(request: FastifyRequest, reply: FastifyReply): LoggedResponse {
  const { url } = request.routeOptions;
  return {
    at: request.raw.headers.upgrade === undefined ? 'http' : 'upgrade',
    route: url === undefined ? 'none' : `${request.method} ${url}`,
    status: reply.statusCode,
    problem: reply.problem ?? undefined,
  };
}
