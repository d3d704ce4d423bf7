// What PostgreSQL answered, as a message that says where it went wrong and what to do.

import pg from 'pg';
import type { Migration } from './migration-files.js';
import { SchemaError } from './schema-error.js';

/** lock_not_available, deadlock_detected: nothing was done, and it may work the next time. */
export const isLockConflict = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && (error.code === '55P03' || error.code === '40P01');

/** insufficient_privilege, which is also what "must be owner of" comes with. */
const isMissingRights = (error: unknown): error is pg.DatabaseError =>
  error instanceof pg.DatabaseError && error.code === '42501';

/** connection_exception and operator_intervention: the server went away, which says nothing of the schema. */
const isServerGone = (error: pg.DatabaseError): boolean => /^(08|57)/.test(error.code ?? '');

/** An error of the database as a SchemaError where it is one; anything else as it came. */
export function toSchemaError(
  error: unknown,
  migration?: Pick<Migration, 'name' | 'sql'>,
): unknown {
  if (isMissingRights(error)) return createRightsError(error);
  if (migration === undefined || !(error instanceof pg.DatabaseError)) return error;
  if (isLockConflict(error) || isServerGone(error)) return error;
  return new SchemaError(
    'schema_failed',
    [`${formatPosition(error, migration)}: ${error.message} (SQLSTATE ${error.code})`]
      .concat(selectDetail(error), error.hint ?? [], error.where ?? [])
      .join('; '),
    { cause: error },
  );
}

/** not_null_violation, check_violation: their detail is the whole row, and a row holds what must not be told. */
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

/** The file, with line and column where PostgreSQL gives a position: it counts characters from 1. */
function formatPosition(
  { position }: pg.DatabaseError,
  { name, sql }: Pick<Migration, 'name' | 'sql'>,
): string {
  if (position === undefined) return `schema/${name}.sql`;
  // Characters, not UTF-16 units: that is how PostgreSQL counts.
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

/** The locks were not to be had: says who has them, so that they can be ended. */
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
    `vms stayed locked by ${holders.join(', ') || 'others who have gone by now'}; end those transactions, then run "lablink-gateway db migrate"`,
    { cause },
  );
}
