// Parses addresses in the configuration: the address to listen on, and the proxies to trust.

import { BlockList, isIP } from 'node:net';

/** All loopback addresses; a BlockList also matches every spelling of an IPv6 address. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can connect to a server on `host`: 127.0.0.0/8, ::1 or `localhost`. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return version === 4 ? host.startsWith('127.') : loopback.check(host, 'ipv6');
}

/**
 * Whether `host` is an IP address or a host name (RFC 1123 §2.1). A name that ends in digits is
 * neither, because resolvers disagree on which address `127.1` or `0177.1` is.
 */
export function isHost(host: string): boolean {
  if (isIP(host) !== 0) return true;
  return /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) && !/(^|\.)\d+$/.test(host);
}

/** Decides whether the peer at `hop` is a trusted proxy; 0 is the peer of the socket itself. */
export type TrustHop = (address: string, hop: number) => boolean;

/** The proxies to trust, as Fastify's option `trustProxy` expects them. */
export type TrustProxy = boolean | string[] | TrustHop;

/**
 * Parses `false`, `true`, a number of hops (0 to 99), or addresses and CIDR ranges separated by
 * commas. Hops become a function, because Fastify 5 trusts no proxy if it receives a number.
 * @returns undefined if `text` is none of these
 */
export function parseTrustProxy(text: string): TrustProxy | undefined {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^\d{1,2}$/.test(text)) {
    const hops = Number(text);
    return (_address, hop) => hop < hops;
  }
  const ranges = text.split(',').map((range) => range.trim());
  return ranges.every(isRange) ? ranges : undefined;
}

/**
 * Whether `range` is an address, with or without a prefix length. A prefix of 0, the whole
 * Internet, is rejected: it is written `true`.
 */
function isRange(range: string): boolean {
  const [address = '', prefix, ...rest] = range.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  const bits = version === 4 ? 32 : 128;
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits;
}
