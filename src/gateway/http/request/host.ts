// Checks the Host of a request (RFC 9112 §3.2): HTTP/1.1 needs one, and no request may have two.

import { hostname } from 'node:os';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../../config/address.js';

const HOST = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]*$/;

/** Whether the request has a Host as its version of HTTP requires. */
export function hasValidHost({
  httpVersion,
  rawHeaders,
}: Pick<IncomingMessage, 'httpVersion' | 'rawHeaders'>): boolean {
  const hosts = rawHeaders.filter(
    (_text, n) => n % 2 === 1 && rawHeaders[n - 1]?.toLowerCase() === 'host',
  );
  if (hosts.length === 0) return httpVersion === '1.0';
  return hosts.length === 1 && HOST.test(hosts[0] ?? '');
}

/**
 * Whether a Host names this machine. Another name is that of a page whose name was pointed at
 * loopback (DNS rebinding).
 */
export function isOwnHost(host: string): boolean {
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  return name === 'localhost' || name === hostname().toLowerCase() || isLoopback(name);
}
