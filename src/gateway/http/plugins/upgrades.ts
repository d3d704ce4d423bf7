// Rejects upgrades from pages of other origins, and upgrades at URLs without a WebSocket, before
// any token is checked.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

/**
 * Rejects such upgrades on every route that is registered later.
 * @param allowedOrigins origins besides the gateway's own, as browsers send them
 */
export function guardUpgrades(server: HttpServer, allowedOrigins: readonly string[]): void {
  const allowed = new Set(allowedOrigins);

  // Browsers send no preflight request before a WebSocket, so the server must check the origin (RFC
  // 6455 §10.2).
  server.addHook('onRequest', async (request, reply) => {
    const { origin, upgrade } = request.headers;
    if (upgrade === undefined || origin === undefined) return;
    if (allowed.has(origin) || isOwn(request, origin)) return;
    sendProblem(reply, 'origin_not_allowed', 'Pages of this origin may not open a WebSocket.');
    await reply;
  });

  // @fastify/websocket would upgrade at every route, and log the URL with its query.
  server.addHook('onRoute', (route) => {
    if (route.wsHandler !== undefined) return;
    route.preValidation = [rejectUpgrade, ...[route.preValidation ?? []].flat()];
  });
}

/**
 * Whether a page of this origin was served by the requested host, which may come from the header of
 * a trusted proxy. The scheme of the origin determines the default port. The origin `null` is never
 * the gateway's own.
 */
function isOwn(request: FastifyRequest, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host } = new URL(origin);
  const asked = `${protocol}//${request.host}`;
  return host !== '' && URL.canParse(asked) && new URL(asked).host === host;
}

async function rejectUpgrade(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!request.ws) return;
  sendProblem(reply, 'not_found', 'There is no WebSocket at this URL.');
  await reply;
}
