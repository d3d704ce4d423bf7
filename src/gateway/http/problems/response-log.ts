// Describes each response for logs and metrics, without text from the client: a route is a pattern,
// and a problem is a known code. A successful upgrade or event stream is a session, and has no
// response here.

import type { FastifyReply, FastifyRequest } from 'fastify';

/** A response as it is logged and counted. */
export interface LoggedResponse {
  readonly at: 'http' | 'upgrade';
  /**
   * The method and the pattern, such as `GET /v1/vms/:hostname`; `none` if there is no such route.
   */
  readonly route: string;
  readonly status: number;
  /** The code of the problem; undefined if the response is not a problem. */
  readonly problem: string | undefined;
}

/** Called once for each response. Must not throw. */
export type OnResponse = (answer: LoggedResponse) => void;

/** Describes the response to a request, once it is sent. */
export function describeResponse(request: FastifyRequest, reply: FastifyReply): LoggedResponse {
  const { url } = request.routeOptions;
  return {
    at: request.raw.headers.upgrade === undefined ? 'http' : 'upgrade',
    route: url === undefined ? 'none' : `${request.method} ${url}`,
    status: reply.statusCode,
    problem: reply.problem ?? undefined,
  };
}
