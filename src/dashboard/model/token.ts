// Decodes a token without verifying it: the claims decide what the page offers; the gateway decides
// what is allowed.

export interface UserClaims {
  readonly role: string;
  readonly sub: string;
  /** In ms since the epoch; undefined if the token has no expiry. */
  readonly expiresAtMs: number | undefined;
}

/** Decodes the claims of a JWT (RFC 7519); undefined if the text is no token. */
export function decodeClaims(token: string): UserClaims | undefined {
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
