// Which upgrades are refused whoever asks: those of pages of other sites, and those at URLs without a socket.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '../problems/problem.js';
import type { HttpServer } from '../server.js';

/**
 * Refuses them on every route that follows.
 * @param allowedOrigins sites besides the gateway's own, as browsers name them
 */
export function guardUpgrades(server: HttpServer, allowedOrigins: readonly string[]): void {
  const allowed = new Set(allowedOrigins);

  // Browsers do not ask before a WebSocket as they do before a request (RFC 6455 §10.2): it is for the server to look.
  server.addHook('onRequest', async (request, reply) => {
    const { origin, upgrade } = request.headers;
    if (upgrade === undefined || origin === undefined) return;
    if (allowed.has(origin) || isOwn(request, origin)) return;
    sendProblem(reply, 'origin_not_allowed', 'Pages of this origin may not open a WebSocket.');
    await reply;
  });

  // @fastify/websocket upgrades at any route, without its hooks having known, and logs the URL, with all that is in it.
  server.addHook('onRoute', (route) => {
    if (route.wsHandler !== undefined) return;
    route.preValidation = [rejectUpgrade, ...[route.preValidation ?? []].flat()];
  });
}

/**
 * Whether a page of this origin came from the host it now asks; what a proxy says the host was counts where proxies
 * are trusted. The origin's scheme tells which port goes without saying. `null`, a page from nowhere, is never its own.
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
