// Where simulated clients connect to, and from.

import { parseAddress } from '../client/address.js';

export interface Endpoint {
  /** ws: or wss:, without a path of the protocol's. */
  readonly url: string;
  /** Whether the server tells the current state first: then that is waited for. */
  readonly tellsState: boolean;
  /** The addresses of this machine to connect from, in turn; any when empty. */
  readonly localAddresses: readonly string[];
}

/** The ports of one address do not suffice for 18,000 sockets that all come back; only Linux has so many by itself. */
const LOOPBACK = Array.from({ length: 8 }, (_, i) => `127.0.0.${i + 2}`);

export function endpointOf(url: string, tellsState = true): Endpoint {
  const isLoopback = new URL(url).hostname === '127.0.0.1' && process.platform === 'linux';
  return {
    url: parseAddress(url).webSocket,
    tellsState,
    localAddresses: isLoopback ? LOOPBACK : [],
  };
}
