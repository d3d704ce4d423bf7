// Reads the key with which the table's trigger authenticates assignments. A gateway without the key
// reads each assignment from the table before it sends it to an agent.

import { createSecretKey, type KeyObject } from 'node:crypto';
import pg from 'pg';
import { runReadQuery } from './transaction.js';

/** No right to the key, or a schema that has none (PostgreSQL, "Error Codes"). */
const WITHOUT_KEY = new Set(['42501', '42P01', '42703']);

/** Returns the key; undefined if this role may not read it, or the schema has none. */
export async function readAssignmentKey(pool: pg.Pool): Promise<KeyObject | undefined> {
  try {
    const sql = 'SELECT key FROM public.vm_keys';
    const [row] = await runReadQuery<{ key: Buffer }>(pool, sql, []);
    return row === undefined ? undefined : createSecretKey(row.key);
  } catch (error) {
    if (error instanceof pg.DatabaseError && WITHOUT_KEY.has(error.code ?? '')) return undefined;
    throw error;
  }
}
