// Stores the one-time codes of links to the dashboard. Their number is bounded, and those that are
// too old are removed first.

import type pg from 'pg';
import { MaintenanceError } from './maintenance-error.js';
import { inTransaction } from './session.js';

/** How many codes may wait to be used. */
export const MAX_SIGN_IN_CODES = 100;

/** The key of the lock under which codes are counted. */
const LOCK_KEY = 0x73_69_67_6e;

export interface StoredCode {
  readonly hash: Buffer;
  readonly role: string;
  readonly sub: string;
  /** How long the token lasts. */
  readonly ttlSeconds: number;
  /** How long the code is good. */
  readonly codeTtlSeconds: number;
}

/** @throws MaintenanceError `refused` if too many codes wait to be used. */
export async function storeSignInCode(
  session: pg.Client,
  { hash, role, sub, ttlSeconds, codeTtlSeconds }: StoredCode,
): Promise<void> {
  const stored = await inTransaction(session, 'BEGIN', async () => {
    await session.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
    await session.query('DELETE FROM public.vm_sign_in_codes WHERE expires_at <= now()');
    return session.query(
      `INSERT INTO public.vm_sign_in_codes (code_sha256, role, sub, ttl_seconds, expires_at)
       SELECT $1, $2, $3, $4, now() + $5 * interval '1 second'
       WHERE (SELECT count(*) FROM public.vm_sign_in_codes) < $6`,
      [hash, role, sub, ttlSeconds, codeTtlSeconds, MAX_SIGN_IN_CODES],
    );
  });
  if (stored.rowCount === 1) return;
  throw new MaintenanceError(
    'refused',
    `${MAX_SIGN_IN_CODES} links wait to be used; use one of them, or try again in a few minutes.`,
  );
}
