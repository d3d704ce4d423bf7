// Where a request carries its token: a header, or for browsers a WebSocket subprotocol. Never the URL, which ends up
// in logs and histories (RFC 6750 §5.3).

import type { IncomingHttpHeaders } from 'node:http';
import { BEARER_SUBPROTOCOL_PREFIX } from '../../protocol/messages.js';

/** `Bearer` in any case (RFC 9110 §11.1), then one token (`token68`: RFC 9110 §11.2). */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** The token a request carries, not yet checked. The Authorization header goes before the subprotocol. */
export function readToken(headers: IncomingHttpHeaders): string | undefined {
  return BEARER.exec(headers.authorization ?? '')?.[1] ?? readOfferedToken(headers);
}

/** From `Sec-WebSocket-Protocol: lablink.v1, bearer.<token>` (RFC 6455 §11.3.4: a list with commas). */
function readOfferedToken(headers: IncomingHttpHeaders): string | undefined {
  const offers = headers['sec-websocket-protocol']?.split(',') ?? [];
  for (const offer of offers.map((text) => text.trim())) {
    if (!offer.startsWith(BEARER_SUBPROTOCOL_PREFIX)) continue;
    const token = offer.slice(BEARER_SUBPROTOCOL_PREFIX.length);
    if (token !== '') return token;
  }
  return undefined;
}
