// What stands for one client among addresses.

import { isIPv6 } from 'node:net';
import { isLoopback } from '../../../config/address.js';

/**
 * The key that the sockets of this address are counted under: of IPv6 the first 64 bits, because a single machine is
 * given all addresses that share them (RFC 4291 §2.5.4). Undefined for loopback: from there come a proxy that
 * TRUST_PROXY does not name, and load tests.
 */
export function deriveClientKey(address: string): string | undefined {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isLoopback(plain)) return undefined;
  return isIPv6(plain) ? `${expandGroups(plain).slice(0, 4).join(':')}::/64` : plain;
}

/** The eight groups, `::` written out (RFC 4291 §2.2). An IPv4 address at the end counts as one: it is never looked at. */
function expandGroups(address: string): string[] {
  const [before = [], after = []] = address
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].map((group) =>
    group.toLowerCase().replace(/^0+(?=.)/, ''),
  );
}
