// Reads the token of a request from the Authorization header, or from a WebSocket subprotocol,
// which browsers use. It is never read from the URL, because logs and histories keep URLs (RFC 6750
// §5.3).

import type { IncomingHttpHeaders } from 'node:http';
import { BEARER_SUBPROTOCOL_PREFIX } from '../../protocol/messages.js';

/** `Bearer` in any case (RFC 9110 §11.1), then one token (`token68`: RFC 9110 §11.2). */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Reads the token of a request, without verifying it. The Authorization header takes precedence
 * over the subprotocol.
 * @returns undefined if there is no token
 */
export function readToken(headers: IncomingHttpHeaders): string | undefined {
  return BEARER.exec(headers.authorization ?? '')?.[1] ?? readOfferedToken(headers);
}

/**
 * Reads it from `Sec-WebSocket-Protocol: lablink.v1, bearer.<token>`, a list separated by commas
 * (RFC 6455 §11.3.4).
 */
function readOfferedToken(headers: IncomingHttpHeaders): string | undefined {
  const offers = headers['sec-websocket-protocol']?.split(',') ?? [];
  for (const offer of offers.map((text) => text.trim())) {
    if (!offer.startsWith(BEARER_SUBPROTOCOL_PREFIX)) continue;
    const token = offer.slice(BEARER_SUBPROTOCOL_PREFIX.length);
    if (token !== '') return token;
  }
  return undefined;
}
