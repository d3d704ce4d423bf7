// A database's schema as text, by the product's own query.

import { readFile } from 'node:fs/promises';
import type { Session } from './session.js';

const folder = new URL('../../schema/', import.meta.url);
const [setting = '', query = ''] = (await readFile(new URL('snapshot.sql', folder), 'utf8')).split(
  /(?=^WITH)/m,
);

/** Where the schema of a migrated database is written down. */
export const SNAPSHOT_FILE = new URL('snapshot.txt', folder);

/** The schema, a line each for its columns, constraints, indexes, functions and so on. */
export async function describeSchema(session: Session): Promise<string[]> {
  await session.query(setting);
  const rows = await session.query<{ line: string }>(query);
  await session.query('SET search_path = public');
  return rows.map(({ line }) => line);
}
