// The address that simulated clients connect to, and the local addresses they connect from.

import { randomInt } from 'node:crypto';
import { parseAddress } from '../client/address.js';

export interface Endpoint {
  /** ws: or wss:, without the protocol's path. */
  readonly url: string;
  /** Whether the server sends the current state first. A client is connected once it has it. */
  readonly sendsState: boolean;
  /** Addresses of this machine to connect from, in turn; if empty, the system chooses. */
  readonly localAddresses: readonly string[];
}

/** A single address has too few ports for 18,000 sockets that reconnect together. */
const LOOPBACK_ADDRESSES = 64;

export function createEndpoint(url: string, sendsState = true): Endpoint {
  const isLoopback = new URL(url).hostname === '127.0.0.1' && process.platform === 'linux';
  return {
    url: parseAddress(url).webSocket,
    sendsState,
    localAddresses: isLoopback ? chooseLoopbackAddresses() : [],
  };
}

/**
 * Chooses addresses that were not used lately. The port of a closed socket stays in TIME-WAIT for a
 * minute (RFC 9293 §3.6.1), and finding a free port among 30,000 took 1.5 ms of CPU for each
 * connect. Only Linux accepts all of 127.0.0.0/8 without configuration.
 */
function chooseLoopbackAddresses(): string[] {
  const block = `127.${randomInt(1, 255)}.${randomInt(256)}`;
  return Array.from({ length: LOOPBACK_ADDRESSES }, (_, i) => `${block}.${i + 1}`);
}
