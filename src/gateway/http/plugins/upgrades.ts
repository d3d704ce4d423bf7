// Rejects upgrades from pages of other origins, and upgrades at URLs without a WebSocket, before
// any token is checked.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEMS, sendProblem } from '../problems/problem.js';
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
    const { origin, upgrade, 'x-page-origin': page } = request.headers;
    // The client library names its page when it asks over HTTP why an upgrade was rejected.
    const asked = upgrade === undefined ? page : origin;
    if (typeof asked !== 'string' || allowed.has(asked) || isOwn(request, asked)) return;
    sendProblem(reply, 'origin_not_allowed', explainOrigin(asked, request.host));
    await reply;
  });

  server.addHook('onRequest', async (request, reply) => {
    if (!request.ws) return;
    const fault = findHandshakeFault(request.headers);
    if (fault === undefined) return;
    if (fault === 'unsupported_websocket_version') reply.header('Sec-WebSocket-Version', '13');
    sendProblem(reply, fault, PROBLEMS[fault].when);
    await reply;
  });

  // @fastify/websocket would upgrade at every route, and log the URL with its query.
  server.addHook('onRoute', (route) => {
    if (route.wsHandler !== undefined) return;
    route.onRequest = [rejectUpgrade, ...[route.onRequest ?? []].flat()];
  });
}

function explainOrigin(origin: string, host: string): string {
  const [page, gateway] = [origin, host].map((name) => JSON.stringify(name.slice(0, 253)));
  return (
    `Pages of the origin ${page} may not open a WebSocket at the host ${gateway}. ` +
    'If the page is the gateway’s own, a proxy does not forward Host; ' +
    'list the origins of other pages in ALLOWED_ORIGINS.'
  );
}

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKENS =
  /^[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+([ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*[ \t]*$/;

/** Finds what ws would refuse, with a response that is no problem (RFC 6455 §4.2.1). */
function findHandshakeFault(headers: IncomingHttpHeaders) {
  if (headers['sec-websocket-version'] !== '13') return 'unsupported_websocket_version';
  const { 'sec-websocket-key': key = '', 'sec-websocket-protocol': protocols } = headers;
  if (!KEY.test(key)) return 'invalid_handshake';
  if (protocols === undefined) return undefined;
  const names = protocols.split(',').map((name) => name.trim());
  const isList = TOKENS.test(protocols) && new Set(names).size === names.length;
  return isList ? undefined : 'invalid_handshake';
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
