// Distinguishes a row that cannot be read from a value that cannot be stored: PostgreSQL reports
// both with the same codes.

import pg from 'pg';
import { isElementError } from '../../postgres/isolate.js';
import type { ConnectionSource } from './connection-source.js';
import { runReadQuery } from './transaction.js';

/** The row exists, and has a value that is no text in the encoding of the database's clients. */
export class UnreadableRowError extends Error {
  override readonly name = 'UnreadableRowError';
}

/** character_not_in_repertoire and untranslatable_character. */
const NO_TEXT = /^(22021|22P05)$/;

/** Whether a value cannot be converted between the encodings of the database and the gateway. */
export function isEncodingError(error: unknown): boolean {
  return error instanceof pg.DatabaseError && NO_TEXT.test(error.code ?? '');
}

/**
 * Runs work on the VM of this hostname.
 * @throws UnreadableRowError instead of the work's own error, if its row is the cause
 */
export async function explainUnreadableRow<T>(
  pool: ConnectionSource,
  hostname: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isEncodingError(error) || !(await isUnreadable(pool, hostname))) throw error;
    throw new UnreadableRowError('the row of this hostname cannot be read', { cause: error });
  }
}

async function isUnreadable(pool: ConnectionSource, hostname: string): Promise<boolean> {
  try {
    const sql = 'SELECT FROM public.vms WHERE hostname = $1';
    if ((await runReadQuery(pool, sql, [hostname])).length === 0) return false;
  } catch (error) {
    if (isElementError(error)) return false; // The hostname cannot be stored, so it has no row.
    throw error;
  }
  try {
    const sql = 'SELECT public.vm_text(vms) FROM public.vms WHERE hostname = $1';
    await runReadQuery(pool, sql, [hostname]);
    return false;
  } catch (error) {
    if (isElementError(error)) return true;
    throw error;
  }
}
