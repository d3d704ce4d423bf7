// Whether the process lives, and whether it is ready to serve. They are apart on purpose: a database that is away
// is no reason to restart the gateway.

import { Type } from 'typebox';
import { describeProblem } from '../problems/problem-responses.js';
import { sendProblem } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

/** Why the gateway is not ready, in words for the person who looks, or undefined when it is. */
export type NotReady = () => string | undefined;

const createHealthSchema = (status: string) =>
  Type.Object({ status: Type.String() }, { description: 'It is so.', examples: [{ status }] });

export function registerHealth(server: HttpServer, notReady: NotReady): void {
  server.get('/health/live', {
    schema: {
      operationId: 'live',
      summary: 'Whether the process lives',
      tags: ['operation'],
      security: [],
      response: { 200: createHealthSchema('live') },
    },
    handler: () => ({ status: 'live' }),
  });

  server.get('/health/ready', {
    schema: {
      operationId: 'ready',
      summary: 'Whether the gateway serves what the table says',
      tags: ['operation'],
      security: [],
      response: {
        200: createHealthSchema('ready'),
        503: describeProblem(503, ['not_ready', 'draining']),
      },
    },
    handler: async (_request, reply) => {
      const reason = notReady();
      if (reason === undefined) return { status: 'ready' };
      return sendProblem(reply, 'not_ready', reason);
    },
  });
}
