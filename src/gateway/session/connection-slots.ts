// How many sockets there may be: in all, from one address, and of one identity. A socket has a place from before its
// upgrade until its connection is gone, whatever happens in between. A request that waits for a VM to change holds a
// connection as a socket does, and has a place until it is answered.

import type { Identity } from '../auth/token.js';
import type { SocketRejection } from './limits.js';

export interface SocketLimits {
  readonly total: number;
  readonly perAddress: number;
  readonly perIdentity: number;
}

/** Who asks for a place. */
export interface ConnectingClient {
  /** Undefined where the address says nothing of who it is: then it is not counted. */
  readonly address: string | undefined;
  /**
   * Counted by `role` and `sub`, not by the token: a renewal, or a second token for the same, is no second share.
   */
  readonly identity: Pick<Identity, 'role' | 'sub'>;
}

export class ConnectionSlots {
  #taken = 0;
  readonly #byAddress = new Map<string, number>();
  readonly #byIdentity = new Map<string, number>();

  constructor(private readonly limits: SocketLimits) {}

  get inUse(): number {
    return this.#taken;
  }

  /** Why there is no place for another socket of this visitor's, or undefined when there is one. */
  findRejection({ address, identity }: ConnectingClient): SocketRejection | undefined {
    const { total, perAddress, perIdentity } = this.limits;
    const ofIdentity = this.#byIdentity.get(formatKey(identity)) ?? 0;
    if (ofIdentity >= perIdentity) return 'too_many_sockets_of_identity';
    const ofAddress = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0);
    if (ofAddress >= perAddress) return 'too_many_sockets_of_address';
    return this.#taken >= total ? 'too_many_sockets' : undefined;
  }

  /** Takes a place. @returns what gives it back; to be called once. */
  acquire({ address, identity }: ConnectingClient): () => void {
    const key = formatKey(identity);
    this.#taken++;
    adjustCount(this.#byIdentity, key, 1);
    if (address !== undefined) adjustCount(this.#byAddress, address, 1);
    return () => {
      this.#taken--;
      adjustCount(this.#byIdentity, key, -1);
      if (address !== undefined) adjustCount(this.#byAddress, address, -1);
    };
  }
}

function formatKey({ role, sub }: ConnectingClient['identity']): string {
  return `${role} ${sub}`;
}

/** Whoever has none left is forgotten: there are only as many entries as places taken. */
function adjustCount(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
