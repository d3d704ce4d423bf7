// The versions of PostgreSQL on which the migrations work. An older one would fail in the middle.

import type pg from 'pg';
import { SchemaError } from './schema-error.js';

/** `server_version_num` of PostgreSQL 13.0. */
const OLDEST = 130_000;

/** Reads `server_version_num`, such as 150020 for 15.20. */
export async function readReleaseNumber(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return rows[0]?.version ?? 0;
}

/** @throws SchemaError `schema_failed` before anything is changed. */
export function rejectOldServer(version: number): void {
  if (version >= OLDEST) return;
  throw new SchemaError(
    'schema_failed',
    `the server is PostgreSQL ${Math.trunc(version / 10_000)}, and the schema needs 13 or later; nothing was changed. Upgrade the server first, for example with pg_upgrade`,
  );
}
