// What stands for one client among addresses.

import { BlockList, isIPv6 } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * The key that the sockets of this address are counted under: of IPv6 the first 64 bits, because a single machine is
 * given all addresses that share them (RFC 4291 §2.5.4). Undefined for loopback: from there come a proxy that
 * TRUST_PROXY does not name, and load tests.
 */
export function clientOf(address: string): string | undefined {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return loopback.check(plain, 'ipv4') ? undefined : plain;
  return loopback.check(plain, 'ipv6')
    ? undefined
    : `${groupsOf(plain).slice(0, 4).join(':')}::/64`;
}

/** The eight groups, `::` written out (RFC 4291 §2.2). An IPv4 address at the end counts as one: it is never looked at. */
function groupsOf(address: string): string[] {
  const [before = [], after = []] = address
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].map((group) =>
    group.toLowerCase().replace(/^0+(?=.)/, ''),
  );
}
