// Takes the one-time codes of links from the database: each is good once, on any gateway.

import { runStatement } from './transaction.js';
import type { ConnectionSource } from './connection-source.js';

/** The token for which a code is exchanged. */
export interface TakenCode {
  readonly role: string;
  readonly sub: string;
  readonly ttlSeconds: number;
}

/**
 * Removes the code and returns what it is good for. The removal is one statement, so that only one
 * of several requests gets it.
 * @returns undefined if there is no such code, or it is too old
 */
export async function takeSignInCode(
  connections: ConnectionSource,
  hash: Buffer,
): Promise<TakenCode | undefined> {
  const rows = await runStatement<TakenCode & { readonly valid: boolean }>(
    connections,
    `DELETE FROM public.vm_sign_in_codes WHERE code_sha256 = $1
     RETURNING role, sub, ttl_seconds AS "ttlSeconds", expires_at > now() AS valid`,
    [hash],
  );
  const [row] = rows;
  if (row?.valid !== true) return undefined;
  return { role: row.role, sub: row.sub, ttlSeconds: row.ttlSeconds };
}
