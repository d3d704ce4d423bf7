// Derives the key that identifies a client by its address.

import { isIPv6 } from 'node:net';
import { isLoopback } from '../../../config/address.js';

/**
 * Derives the key under which the sockets of an address are counted. For IPv6 it is the first 64
 * bits, because a single machine has all addresses that share them (RFC 4291 §2.5.4).
 * @param address undefined if the client left before its address was read
 * @returns undefined for loopback, which is the address of load tests, and of a proxy that
 * TRUST_PROXY does not name
 */
export function deriveClientKey(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = removePort(address)
    .replace(/^::ffff:(?=\d+\.)/i, '')
    .replace(/%.*$/, '');
  if (isLoopback(plain)) return undefined;
  return isIPv6(plain) ? `${expandGroups(plain).slice(0, 4).join(':')}::/64` : plain;
}

/** Some proxies add the port to the addresses in X-Forwarded-For, and brackets to IPv6. */
function removePort(address: string): string {
  return address.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1');
}

/**
 * Expands `::` to the eight groups (RFC 4291 §2.2). An IPv4 address at the end counts as one group,
 * and is never used.
 */
function expandGroups(address: string): string[] {
  const [before = [], after = []] = address
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].map((group) =>
    group.toLowerCase().replace(/^0+(?=.)/, ''),
  );
}
