// Turns errors of PostgreSQL into messages that say where a migration failed and what to do.

import pg from 'pg';
import type { Migration } from './migration-files.js';
import { SchemaError } from './schema-error.js';

/** lock_not_available, deadlock_detected: nothing was done, and another try may succeed. */
export const isLockConflict = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && (error.code === '55P03' || error.code === '40P01');

/** insufficient_privilege, also the code of "must be owner of". */
const isMissingRights = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && error.code === '42501';

/**
 * connection_exception and operator_intervention: the server is gone. read_only_sql_transaction: it
 * is a standby, which may be promoted. The schema is not at fault.
 */
const isServerUnavailable = (error: pg.DatabaseError): boolean =>
  /^(08|57|25006)/.test(error.code ?? '');

/** Turns an error of the schema or of rights into a SchemaError; returns other errors unchanged. */
export function toSchemaError(
  error: unknown,
  migration?: Pick<Migration, 'name' | 'sql'>,
): unknown {
  if (isMissingRights(error)) return createRightsError(error);
  if (migration === undefined || !(error instanceof pg.DatabaseError)) return error;
  if (isLockConflict(error) || isServerUnavailable(error)) return error;
  return new SchemaError(
    'schema_failed',
    [`${formatPosition(error, migration)}: ${error.message} (SQLSTATE ${error.code})`]
      .concat(selectDetail(error), error.hint ?? [], error.where ?? [])
      .join('; '),
    { cause: error },
  );
}

/**
 * Omits the detail of not_null_violation and check_violation: it quotes the row, with its command.
 */
function selectDetail({ code = '', detail }: pg.DatabaseError): string | [] {
  return ['23502', '23514'].includes(code) ? [] : (detail ?? []);
}

function createRightsError(error: pg.DatabaseError): SchemaError {
  return new SchemaError(
    'schema_rights',
    `${error.message}; run "lablink-gateway db migrate" with a role that owns vms and may create in schema public, and see schema/README.md for the rights that suffice afterwards`,
    { cause: error },
  );
}

/**
 * Formats the file with line and column, from PostgreSQL's position in characters, counted from 1.
 */
function formatPosition(
  { position }: pg.DatabaseError,
  { name, sql }: Pick<Migration, 'name' | 'sql'>,
): string {
  if (position === undefined) return `schema/${name}.sql`;
  // PostgreSQL counts characters, not UTF-16 units.
  const lines = Array.from(sql).slice(0, Number(position)).join('').split('\n');
  return `schema/${name}.sql:${lines.length}:${Array.from(lines.at(-1) ?? '').length}`;
}

const HOLDERS = `
  SELECT DISTINCT pid, application_name, state
  FROM pg_catalog.pg_locks JOIN pg_catalog.pg_stat_activity USING (pid)
  WHERE granted AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND (relation = to_regclass('public.vms')
      OR locktype = 'advisory' AND classid = 0 AND objid = $1 AND objsubid = 1)
  ORDER BY pid`;

interface Holder {
  pid: number;
  application_name: string;
  state: string | null;
}

/** Creates the error for locks that stayed taken; it names the sessions that hold them. */
export async function createLockedError(
  client: pg.Client,
  advisoryLock: number,
  cause: unknown,
): Promise<SchemaError> {
  const { rows } = await client.query<Holder>(HOLDERS, [advisoryLock]);
  const holders = rows.map(
    ({ pid, application_name, state }) => `${pid} (${application_name || '?'}, ${state ?? '?'})`,
  );
  return new SchemaError(
    'schema_locked',
    `vms stayed locked by ${holders.join(', ') || 'sessions that have ended'}; end those transactions, then run "lablink-gateway db migrate"`,
    { cause },
  );
}
