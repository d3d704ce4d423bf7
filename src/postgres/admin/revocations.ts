// Revokes tokens in the database, and finds whether a token is revoked. Gateways are notified at
// the commit.

import type pg from 'pg';
import { inTransaction, takeOnlyRow } from './session.js';

/** Selects a token by its `jti`, or all tokens of a `sub` that were issued so far. */
export interface TokenSelector {
  readonly kind: 'jti' | 'sub';
  readonly value: string;
}

/**
 * Revokes these tokens, again if they were revoked before.
 * @param expiresAt when the last of these tokens ends
 */
export async function revokeTokens(
  session: pg.Client,
  { kind, value }: TokenSelector,
  expiresAt: Date,
): Promise<void> {
  await inTransaction(session, 'BEGIN', async () => {
    await session.query(
      `INSERT INTO public.vm_token_revocations AS known (kind, value, expires_at, actor)
       VALUES ($1, $2, $3, 'cli:' || session_user)
       ON CONFLICT (kind, value) DO UPDATE SET issued_until = now(), revoked_at = now(),
         actor = excluded.actor, expires_at = greatest(known.expires_at, excluded.expires_at)`,
      [kind, value, expiresAt],
    );
    // A link that was made before would give a new token.
    if (kind === 'sub')
      await session.query('DELETE FROM public.vm_sign_in_codes WHERE sub = $1', [value]);
    await session.query(`SELECT pg_notify('vm_revocations', '')`);
  });
}

/** The parts of `Identity` that identify a token. */
export interface IssuedToken {
  readonly sub: string;
  readonly jti?: string;
  /** In s since 1970. */
  readonly issuedAtS?: number;
}

/** Whether a token is revoked, by the same rule as the gateway's. */
export async function isTokenRevoked(
  session: pg.Client,
  { sub, jti, issuedAtS }: IssuedToken,
): Promise<boolean> {
  const { revoked } = takeOnlyRow(
    await session.query<{ revoked: boolean }>(
      `SELECT EXISTS (SELECT FROM public.vm_token_revocations
         WHERE expires_at > now() AND (kind = 'jti' AND value = $1
           OR kind = 'sub' AND value = $2
             AND coalesce($3::float8, '-infinity') <= floor(extract(epoch FROM issued_until))::float8)
       ) AS revoked`,
      [jti ?? null, sub, issuedAtS ?? null],
    ),
  );
  return revoked;
}
