// Connection slots limit the sockets: in total, per address and per identity. A socket holds a slot
// from before its upgrade until its connection is closed. A request that waits for a VM to change
// holds its connection like a socket, and so it holds a slot until its response.

import type { Identity } from '../auth/token.js';
import type { SocketRejection } from './limits.js';

/** The largest number of slots in use at the same time. */
export interface SocketLimits {
  readonly total: number;
  readonly perAddress: number;
  readonly perIdentity: number;
}

/** The client that asks for a slot. */
export interface ConnectingClient {
  /** Undefined if the address does not identify a client (loopback); it is not counted then. */
  readonly address: string | undefined;
  /**
   * Counted by `role` and `sub`: a renewed or second token for the same identity is no new share.
   */
  readonly identity: Pick<Identity, 'role' | 'sub'>;
}

export class ConnectionSlots {
  #inUse = 0;
  readonly #byAddress = new Map<string, number>();
  readonly #byIdentity = new Map<string, number>();

  constructor(private readonly limits: SocketLimits) {}

  /** How many slots are held. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Returns the limit that keeps the client from another slot; undefined if a slot is free. */
  findRejection({ address, identity }: ConnectingClient): SocketRejection | undefined {
    const { total, perAddress, perIdentity } = this.limits;
    const heldByIdentity = this.#byIdentity.get(formatKey(identity)) ?? 0;
    if (heldByIdentity >= perIdentity) return 'too_many_sockets_of_identity';
    const heldByAddress = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0);
    if (heldByAddress >= perAddress) return 'too_many_sockets_of_address';
    return this.#inUse >= total ? 'too_many_sockets' : undefined;
  }

  /**
   * Acquires a slot without checking the limits: see `findRejection`.
   * @returns the function that releases the slot; it must be called exactly once.
   */
  acquire({ address, identity }: ConnectingClient): () => void {
    const key = formatKey(identity);
    this.#inUse++;
    adjustCount(this.#byIdentity, key, 1);
    if (address !== undefined) adjustCount(this.#byAddress, address, 1);
    return () => {
      this.#inUse--;
      adjustCount(this.#byIdentity, key, -1);
      if (address !== undefined) adjustCount(this.#byAddress, address, -1);
    };
  }
}

function formatKey({ role, sub }: ConnectingClient['identity']): string {
  return `${role} ${sub}`;
}

/** Removes a count that reaches 0, so that the maps have no more entries than slots in use. */
function adjustCount(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
