// A connection to a database under test, so that a SET of one statement holds for the next.

import pg from 'pg';
import type { Teardown } from '../helpers/database.js';

export interface Session {
  /** Runs a statement and gives its rows. */
  readonly query: <R extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    params?: unknown[],
  ) => Promise<R[]>;
  /** Runs a statement that gives one row of one column: that value as text. */
  readonly value: (sql: string, params?: unknown[]) => Promise<string | null>;
}

/** Values arrive as the text that PostgreSQL writes. */
const types = { getTypeParser: () => (text: string) => text };

/** Opens a session that ends with the test. */
export async function openSession(t: Teardown, config: pg.ClientConfig): Promise<Session> {
  const client = new pg.Client(config);
  await client.connect();
  t.teardown(() => client.end());
  const query = async <R extends pg.QueryResultRow>(sql: string, params: unknown[] = []) =>
    (await client.query<R>(sql, params)).rows;
  const value = async (sql: string, params: unknown[] = []) => {
    const { rows } = await client.query<(string | null)[]>({
      text: sql,
      values: params,
      rowMode: 'array',
      types,
    });
    return rows[0]?.[0] ?? null;
  };
  return { query, value };
}
