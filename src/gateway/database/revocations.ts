// Reads and prunes the list of revoked tokens: see the schema.

import type pg from 'pg';
import { runReadQuery, runStatement } from './transaction.js';

/** A row of the list. */
export interface RevocationRow {
  readonly kind: 'jti' | 'sub';
  readonly value: string;
  /** In whole s since 1970, as tokens have it. */
  readonly issuedUntilS: number;
}

/** Reads all revocations that are in force. */
export function readRevocations(pool: pg.Pool): Promise<RevocationRow[]> {
  return runReadQuery<RevocationRow>(
    pool,
    `SELECT kind, value, floor(extract(epoch FROM issued_until))::float8 AS "issuedUntilS"
     FROM public.vm_token_revocations WHERE expires_at > now()`,
    [],
  );
}

/** Removes a small number of revocations whose tokens have ended an hour ago or earlier. */
export async function pruneRevocations(pool: pg.Pool): Promise<void> {
  await runStatement(
    pool,
    `DELETE FROM public.vm_token_revocations WHERE (kind, value) IN (
       SELECT kind, value FROM public.vm_token_revocations
       WHERE expires_at < now() - interval '1 hour' LIMIT 1000)`,
  );
}
