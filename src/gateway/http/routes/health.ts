// The health routes: whether the process runs, and whether it is ready. They are separate, because
// an unreachable database is no reason to restart the gateway.

import { Type } from 'typebox';
import { describeProblem } from '../problems/problem-responses.js';
import { sendProblem } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

/** Returns why the gateway is not ready, as text for people; undefined if it is ready. */
export type NotReady = () => string | undefined;

const createHealthSchema = (status: string) =>
  Type.Object(
    { status: Type.String() },
    { title: 'Health', description: 'The check succeeds.', examples: [{ status }] },
  );

const BAD_REQUEST = { 400: describeProblem(400, ['invalid_request']) };

/** Registers the health routes. */
export function registerHealth(server: HttpServer, notReady: NotReady): void {
  server.get('/health/live', {
    schema: {
      operationId: 'live',
      summary: 'Check that the process runs',
      description: 'For a supervisor that restarts the process. It uses no database.',
      tags: ['operation'],
      security: [],
      response: { 200: createHealthSchema('live'), ...BAD_REQUEST },
    },
    handler: () => ({ status: 'live' }),
  });

  server.get('/health/ready', {
    schema: {
      operationId: 'ready',
      summary: 'Check that the gateway serves the current state of the table',
      description: 'For a load balancer. The `detail` of the problem names what is missing.',
      tags: ['operation'],
      security: [],
      response: {
        200: createHealthSchema('ready'),
        ...BAD_REQUEST,
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
