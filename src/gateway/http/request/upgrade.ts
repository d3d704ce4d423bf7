// Decides which upgrades are WebSockets. Every other Upgrade is ignored (RFC 9110 §7.8): its
// request is written again without the offer, and parsed as a plain one.

import type { IncomingMessage } from 'node:http';

/** The parts of a request's head that decide about an upgrade. */
export type RequestHead = Pick<
  IncomingMessage,
  'method' | 'url' | 'httpVersion' | 'headers' | 'rawHeaders'
>;

/**
 * Whether the request asks for a WebSocket: a GET of HTTP/1.1 that offers the protocol (RFC 6455
 * §4.1). HTTP/1.0 has no upgrades.
 */
export function isWebSocketUpgrade({ method, httpVersion, headers }: RequestHead): boolean {
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    splitTokens(headers.upgrade ?? '').includes('websocket')
  );
}

/** Headers that belong to the offer of another protocol. */
const OFFER = new Set(['upgrade', 'http2-settings']);

/**
 * Formats the head of the request without its offer to upgrade. All other bytes are unchanged; a
 * head is latin1.
 */
export function formatWithoutUpgrade({
  method,
  url,
  httpVersion,
  rawHeaders,
}: RequestHead): Buffer {
  const lines = [`${method ?? ''} ${url ?? ''} HTTP/${httpVersion}`];
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const [name = '', value = ''] = rawHeaders.slice(n, n + 2);
    const kept = name.toLowerCase() === 'connection' ? removeOffer(value) : value;
    if (!OFFER.has(name.toLowerCase())) lines.push(`${name}: ${kept}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function removeOffer(connection: string): string {
  return splitTokens(connection)
    .filter((token) => !OFFER.has(token))
    .join(', ');
}

function splitTokens(list: string): string[] {
  return list.split(',').map((token) => token.trim().toLowerCase());
}
