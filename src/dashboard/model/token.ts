// What a token says of itself. Unverified: it decides what the page offers, and the gateway what is done.

export interface TokenClaims {
  readonly role: string;
  readonly sub: string;
  /** Milliseconds since the epoch; undefined for one that does not say. */
  readonly expiresAtMs: number | undefined;
}

/** The claims of a JWT (RFC 7519); undefined for what is none. */
export function decodeClaims(token: string): TokenClaims | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(
      atob(payload.replaceAll('-', '+').replaceAll('_', '/')),
      (character) => character.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== 'object' || claims === null) return undefined;
    const { role, sub, exp }: { role?: unknown; sub?: unknown; exp?: unknown } = claims;
    if (typeof role !== 'string' || typeof sub !== 'string') return undefined;
    return { role, sub, expiresAtMs: typeof exp === 'number' ? exp * 1_000 : undefined };
  } catch {
    return undefined;
  }
}
