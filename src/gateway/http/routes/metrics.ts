// The route of the metrics. A client on the same machine, such as Prometheus, needs no token; other
// clients, and all requests through a proxy, need one.

import type { IncomingMessage } from 'node:http';
import { Type } from 'typebox';
import { isLoopback } from '../../../config/address.js';
import { isOwnHost } from '../request/host.js';
import type { Authorize } from '../request/access.js';
import { describeTokenProblems } from '../problems/problem-responses.js';
import type { HttpServer } from '../server.js';

/** Reads the metrics as text, with its media type. */
export type ReadMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>;

/** Registers the route of the metrics. */
export function registerMetrics(server: HttpServer, authorize: Authorize, read: ReadMetrics): void {
  const check = authorize('read-metrics');
  server.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      operationId: 'metrics',
      summary: 'Read the metrics for Prometheus; without a token from the same machine',
      description: 'The metrics of this gateway process. A request through a proxy needs a token.',
      tags: ['operation'],
      security: [{ bearer: [] }, {}],
      response: {
        200: {
          description: 'The metrics in the text format of Prometheus.',
          content: {
            'text/plain': { schema: Type.String({ examples: ['lablink_feed_live 1\n'] }) },
          },
        },
        ...describeTokenProblems(),
      },
    },
    onRequest: async (request, reply) => {
      if (!isDirectAndLocal(request.raw)) await check(request, reply);
    },
    handler: async (_request, reply) => {
      const { contentType, text } = await read();
      return reply.type(contentType).send(text);
    },
  });
}

/** Headers that proxies add: RFC 7239, RFC 9110 §7.6.3, and their older forms. */
const FORWARDED = /^(forwarded|via|x-real-ip|x-forwarded-.+)$/;

/**
 * Whether the request is from this machine and not forwarded by a proxy, which also connects from
 * loopback. The Host must name this machine.
 */
function isDirectAndLocal({ socket, headers }: IncomingMessage): boolean {
  const { remoteAddress } = socket;
  if (remoteAddress === undefined || !isLoopback(remoteAddress)) return false;
  if (headers.host !== undefined && !isOwnHost(headers.host)) return false;
  return !Object.keys(headers).some((name) => FORWARDED.test(name));
}
