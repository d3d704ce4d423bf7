// The rules for the hostname of a new VM: no person may take it for another one. Rows that exist
// under other names are not affected.

import type pg from 'pg';
import { looksLikeAnother } from './look-alikes.js';

/**
 * Controls, invisible and bidirectional characters, private and unassigned ones, and every space
 * but U+0020 (Unicode Standard Annex 44, "General Category" and "Default_Ignorable_Code_Point").
 */
const UNCLEAR = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u;

/** Whether each character of the hostname is seen, and none can be taken for another one. */
export function isClearHostname(hostname: string): boolean {
  return !UNCLEAR.test(hostname) && hostname === hostname.trim() && !looksLikeAnother(hostname);
}

/** Says what is wrong with a hostname that is not clear. */
export const UNCLEAR_HOSTNAME =
  'A new hostname must not contain control, invisible or bidirectional characters, begin or end ' +
  'with a space, be written in another form than Unicode NFKC, mix letters of several scripts, ' +
  'or have only Cyrillic or Greek letters that look like Latin ones.';

/** The hostname may not be given to a new VM. */
export class HostnameRejection extends Error {
  override readonly name = 'HostnameRejection';

  constructor(readonly reason: 'unclear' | 'similar') {
    super(
      reason === 'unclear'
        ? UNCLEAR_HOSTNAME
        : 'Another VM has this hostname, in other upper and lower case.',
    );
  }
}

/** The seed of the hash, so that these locks differ from the advisory locks of other programs. */
const LOCK_SEED = 0x68_6f_73_74;

/**
 * Checks the hostname of a VM that does not exist yet, in a transaction of the caller. Until that
 * ends, no other transaction can register a variant of the hostname in upper and lower case.
 * @throws HostnameRejection
 */
export async function checkNewHostname(client: pg.ClientBase, hostname: string): Promise<void> {
  if (!isClearHostname(hostname)) throw new HostnameRejection('unclear');
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended(lower($1), $2))', [
    hostname,
    LOCK_SEED,
  ]);
  const { rows } = await client.query(
    `SELECT FROM public.vms
     WHERE lower(hostname::text) = lower($1) AND hostname::text <> $1 LIMIT 1`,
    [hostname],
  );
  if (rows.length > 0) throw new HostnameRejection('similar');
}
