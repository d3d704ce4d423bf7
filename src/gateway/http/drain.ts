// Stops serving: the gateway reports that it is not ready, rejects new requests, closes its sockets
// one after the other, and lets running requests finish. It takes no longer than its time limits.

import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Drain } from '../session/drain.js';
import type { Sessions } from '../session/sessions.js';
import type { Connections } from './limits/connections.js';
import { sendProblem } from './problems/problem.js';

/** Routes that are served until the end. */
const ALWAYS_ANSWERED: readonly (string | undefined)[] = ['/health/live', '/metrics'];
const READINESS = '/health/ready';
const TICK_MS = 10;

export class Draining {
  #drain: Drain | undefined;

  constructor(
    private readonly sessions: Sessions,
    private readonly connections: Connections,
  ) {}

  /** A hook for all routes: rejects requests while the gateway is stopping. */
  readonly reject = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (this.#drain === undefined) return;
    const { url } = request.routeOptions;
    const isRejected = this.#drain.rejecting && !ALWAYS_ANSWERED.includes(url);
    if (!isRejected && url !== READINESS) return;
    reply.header('Connection', 'close');
    await sendProblem(reply, 'draining', 'The gateway is stopping.');
  };

  /**
   * Resolves when all connections are closed, or the time is up.
   * @param limitMs how long closing the sockets may take, in ms
   * @param closeHandshakeMs for the close handshakes of the last sockets and for responses under
   * way.
   */
  async run(limitMs: number, closeHandshakeMs: number): Promise<void> {
    const drain = new Drain(this.sessions, limitMs, performance.now());
    this.#drain = drain;
    while (!drain.tick(performance.now())) await sleep(TICK_MS);
    const untilMs = performance.now() + closeHandshakeMs;
    while (this.connections.busy && performance.now() < untilMs) {
      await sleep(TICK_MS);
      // An upgrade that was accepted earlier may have become a socket.
      drain.tick(performance.now());
    }
  }
}
