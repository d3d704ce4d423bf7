// The route of the metrics. Who asks on this machine itself may read them, as a Prometheus beside the gateway does;
// anybody else, and whoever comes through a proxy, needs a token.

import type { IncomingMessage } from 'node:http';
import { Type } from 'typebox';
import { isLoopback } from '../../../config/address.js';
import type { Authorize } from '../request/access.js';
import { describeTokenProblems } from '../problems/problem-responses.js';
import type { HttpServer } from '../server.js';

/** The metrics as text, and its media type. */
export type ReadMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>;

export function registerMetrics(server: HttpServer, authorize: Authorize, read: ReadMetrics): void {
  const check = authorize('read-metrics');
  server.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      operationId: 'metrics',
      summary: 'What the gateway does, for Prometheus; from this machine itself without a token',
      tags: ['operation'],
      security: [{ bearer: [] }, {}],
      response: {
        200: {
          description: 'Its text format.',
          content: {
            'text/plain': { schema: Type.String({ examples: ['lablink_feed_live 1\n'] }) },
          },
        },
        ...describeTokenProblems(),
      },
    },
    preValidation: async (request, reply) => {
      if (!isDirectAndLocal(request.raw)) await check(request, reply);
    },
    handler: async (_request, reply) => {
      const { contentType, text } = await read();
      return reply.type(contentType).send(text);
    },
  });
}

/** Headers that proxies add: RFC 7239, RFC 9110 §7.6.3, and what they did before. */
const FORWARDED = /^(forwarded|via|x-real-ip|x-forwarded-.+)$/;

/** A proxy on this machine connects from loopback too, on behalf of strangers. */
function isDirectAndLocal({ socket, headers }: IncomingMessage): boolean {
  const { remoteAddress } = socket;
  if (remoteAddress === undefined || !isLoopback(remoteAddress)) return false;
  return !Object.keys(headers).some((name) => FORWARDED.test(name));
}
