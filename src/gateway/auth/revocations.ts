// The list of revoked tokens, as it was last read from the database. Pure: it is handed each list
// that was read. A list that was read stays in force until another one replaces it.

import type { Identity, Verifier } from './token.js';

/** Revokes one token by its `jti`, or the tokens of a `sub` by the time they were issued. */
export type Revocation =
  | { readonly kind: 'jti'; readonly value: string }
  | {
      readonly kind: 'sub';
      readonly value: string;
      /** In s since 1970. Tokens issued later stay valid. */
      readonly issuedUntilS: number;
    };

export class RevokedTokens {
  #jtis: ReadonlySet<string> = new Set();
  #issuedUntilS: ReadonlyMap<string, number> = new Map();
  #isRead = false;

  /** Whether the list was ever read. Before that the gateway accepts no token. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** How many revocations are in force. */
  get size(): number {
    return this.#jtis.size + this.#issuedUntilS.size;
  }

  replace(revocations: readonly Revocation[]): void {
    const jtis = new Set<string>();
    const issuedUntilS = new Map<string, number>();
    for (const revocation of revocations) {
      if (revocation.kind === 'jti') jtis.add(revocation.value);
      else issuedUntilS.set(revocation.value, revocation.issuedUntilS);
    }
    this.#jtis = jtis;
    this.#issuedUntilS = issuedUntilS;
    this.#isRead = true;
  }

  /** A token that does not say when it was issued counts as issued before every revocation. */
  isRevoked({ sub, jti, issuedAtS = -Infinity }: Identity): boolean {
    if (jti !== undefined && this.#jtis.has(jti)) return true;
    const issuedUntilS = this.#issuedUntilS.get(sub);
    return issuedUntilS !== undefined && issuedAtS <= issuedUntilS;
  }
}

/** Creates a verifier that also rejects revoked tokens, and every token until the list is read. */
export function rejectRevoked(verify: Verifier, revoked: RevokedTokens): Verifier {
  return (token) => {
    const verified = verify(token);
    if (!verified.ok) return verified;
    if (!revoked.isRead) return { ok: false, reason: 'revocations_unread' };
    return revoked.isRevoked(verified.identity) ? { ok: false, reason: 'revoked' } : verified;
  };
}
