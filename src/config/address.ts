// Addresses in the configuration: where to listen, and which proxies to believe.

import { BlockList, isIP } from 'node:net';

/** In every way that IPv6 has to write them. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach what listens on `host`: 127.0.0.0/8, ::1 or `localhost`. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return version === 4 ? host.startsWith('127.') : loopback.check(host, 'ipv6');
}

/**
 * Whether `host` is an IP address or a host name (RFC 1123 §2.1). A name that ends in digits is
 * neither: resolvers read `127.1` and `0177.1` as addresses, each in its own way.
 */
export function isHost(host: string): boolean {
  if (isIP(host) !== 0) return true;
  return /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) && !/(^|\.)\d+$/.test(host);
}

/** Whether the peer at `hop`, counted from the socket's own (0), is a proxy to believe. */
export type TrustHop = (address: string, hop: number) => boolean;

/** As Fastify's `trustProxy` takes it. */
export type TrustProxy = boolean | string[] | TrustHop;

/**
 * Reads `false`, `true`, a number of hops (0 to 99), or addresses and CIDR ranges between commas.
 * Undefined when it is none of these. Hops become a function, because Fastify 5 believes nobody
 * when it is given a number.
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

/** An address, or one with a prefix length; a prefix of 0, the whole Internet, is written `true`. */
function isRange(range: string): boolean {
  const [address = '', prefix, ...rest] = range.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  const bits = version === 4 ? 32 : 128;
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits;
}
