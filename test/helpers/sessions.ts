// The sessions that gateways hold in a database, as the server sees them.

import type { TestDatabase } from './database.js';
import { until } from './until.js';

/** The backends of this database's LISTEN sessions. */
export async function listening(database: Pick<TestDatabase, 'query'>): Promise<number[]> {
  const rows = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE '% listen'
     AND datname = current_database()`,
  );
  return rows.map(({ pid }) => pid);
}

/** Resolves with the only one, once it is the only one and not `but`. */
export const untilOneListens = (
  database: Pick<TestDatabase, 'query'>,
  but?: number,
): Promise<number> =>
  until('one session listens', async () => {
    const [pid, ...others] = await listening(database);
    return others.length === 0 && pid !== but && pid;
  });

/** How many sessions gateways have in this database, for LISTEN and for queries. */
export async function gatewaySessions(database: Pick<TestDatabase, 'query'>): Promise<number> {
  const rows = await database.query(
    `SELECT FROM pg_stat_activity
     WHERE application_name LIKE 'lablink-gateway%' AND datname = current_database()`,
  );
  return rows.length;
}
