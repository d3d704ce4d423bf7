// How serving ends: the gateway says that it is not ready, then lets nobody new in, sees its sockets off one after the
// other and lets answers that are under way be finished. It takes no longer than it is given.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Drain } from '../session/drain.js';
import type { Sessions } from '../session/sessions.js';
import type { Connections } from './limits/connections.js';
import { sendProblem } from './problems/problem.js';

/** Asked until the end: whether the process lives, and what it is doing. */
const ALWAYS_ANSWERED: readonly (string | undefined)[] = ['/health/live', '/metrics'];
const READINESS = '/health/ready';
const TICK_MS = 10;

export class Draining {
  #drain: Drain | undefined;

  constructor(
    private readonly sessions: Sessions,
    private readonly connections: Connections,
  ) {}

  /** A hook before all routes. */
  readonly refuse = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (this.#drain === undefined) return;
    const { url } = request.routeOptions;
    const isRefused = this.#drain.rejecting && !ALWAYS_ANSWERED.includes(url);
    if (!isRefused && url !== READINESS) return;
    reply.header('Connection', 'close');
    await sendProblem(reply, 'draining', 'The gateway is going down.');
  };

  /**
   * Resolves when nobody is left, or the time is up.
   * @param limitMs for telling the sockets.
   * @param closeHandshakeMs for the close handshakes of the last sockets and for responses under way.
   */
  async run(limitMs: number, closeHandshakeMs: number): Promise<void> {
    const drain = new Drain(this.sessions, limitMs, performance.now());
    this.#drain = drain;
    while (!drain.tick(performance.now())) await sleep(TICK_MS);
    const untilMs = performance.now() + closeHandshakeMs;
    while (this.connections.busy && performance.now() < untilMs) {
      await sleep(TICK_MS);
      // An upgrade that was let in earlier may have become a socket since.
      drain.tick(performance.now());
    }
  }
}
