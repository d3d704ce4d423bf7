// Whether the process lives, and whether it is ready to serve. They are apart on purpose: a database that is away
// is no reason to restart the gateway.

import { sendProblem } from './problem.js';
import type { HttpServer } from './server.js';

/** Why the gateway is not ready, in words for the person who looks, or undefined when it is. */
export type NotReady = () => string | undefined;

export function registerHealth(server: HttpServer, notReady: NotReady): void {
  server.get('/health/live', () => ({ status: 'live' }));

  server.get('/health/ready', async (_request, reply) => {
    const reason = notReady();
    if (reason === undefined) return { status: 'ready' };
    return sendProblem(reply, 503, 'not_ready', reason);
  });
}
