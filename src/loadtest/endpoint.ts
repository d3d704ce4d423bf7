// Where simulated clients connect to, and from.

import { randomInt } from 'node:crypto';
import { parseAddress } from '../client/address.js';

export interface Endpoint {
  /** ws: or wss:, without a path of the protocol's. */
  readonly url: string;
  /** Whether the server tells the current state first: then that is waited for. */
  readonly tellsState: boolean;
  /** The addresses of this machine to connect from, in turn; any when empty. */
  readonly localAddresses: readonly string[];
}

/** The ports of one do not suffice for 18,000 sockets that all come back. */
const LOOPBACK_ADDRESSES = 64;

export function endpointOf(url: string, tellsState = true): Endpoint {
  const isLoopback = new URL(url).hostname === '127.0.0.1' && process.platform === 'linux';
  return {
    url: parseAddress(url).webSocket,
    tellsState,
    localAddresses: isLoopback ? loopbackAddresses() : [],
  };
}

/**
 * Addresses that nobody has connected from lately. A port of the last minute's sockets still waits (RFC 9293 §3.6.1), and
 * to find a free one among 30,000 that do took a client 1.5 ms of CPU. Only Linux has all of 127.0.0.0/8 by itself.
 */
function loopbackAddresses(): string[] {
  const block = `127.${randomInt(1, 255)}.${randomInt(256)}`;
  return Array.from({ length: LOOPBACK_ADDRESSES }, (_, i) => `${block}.${i + 1}`);
}
