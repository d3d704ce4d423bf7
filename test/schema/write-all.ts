// Writes to vms in every way, and expects of each the usual news.

import type { Test } from 'tap';
import type { TestDatabase } from '../helpers/database.js';
import { type Heard, listen, read, READ_ALL, row } from './listening.js';
import { openSession, type Session } from './session.js';

export const INSERT = `INSERT INTO public.vms (hostname, status) VALUES ('a', 'available')`;
export const UPDATE = `UPDATE public.vms SET status = 'in-use', email = 'x' WHERE hostname = 'a'`;

/** The news of a row as it is now. */
export const rowNow = async (session: Session, hostname = 'a'): Promise<Heard> => {
  const sql = 'SELECT row_to_json(v)::text FROM public.vms v WHERE hostname = $1';
  return row((await session.value(sql, [hostname])) ?? 'no such row');
};

/**
 * INSERT, UPDATE, a rename, a row too large, DELETE and TRUNCATE by this writer; vms is empty
 * before and after.
 */
export async function writeAll(t: Test, database: TestDatabase, writer: Session): Promise<void> {
  const reader = await openSession(t, database.adminConfig);
  const { take } = await listen(t, database.config);
  await writer.query(INSERT);
  t.same(await take(), [await rowNow(reader)], 'INSERT');
  await writer.query(UPDATE);
  t.same(await take(), [await rowNow(reader)], 'UPDATE');
  t.ok(await reader.value('SELECT assignment_id FROM public.vms'));
  await writer.query(`UPDATE public.vms SET updated_at = now()`);
  t.same(await take(), [], 'UPDATE of nothing');
  await writer.query(`UPDATE public.vms SET hostname = 'b'`);
  t.same(await take(), [await rowNow(reader, 'b'), read('a')], 'rename');
  await writer.query(`UPDATE public.vms SET crd_command = repeat('x', 9000)`);
  t.same(await take(), [read('b')], 'UPDATE to a row too large');
  await writer.query('DELETE FROM public.vms');
  t.same(await take(), [read('b')], 'DELETE');
  await writer.query('TRUNCATE public.vms');
  t.same(await take(), [READ_ALL], 'TRUNCATE');
}
