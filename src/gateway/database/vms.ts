// Reads of `vms` for the HTTP surface. Rows come as the JSON text that PostgreSQL makes of them, in the same words as
// notifications.

import type pg from 'pg';
import { runReadQuery } from './transaction.js';

export interface FoundVm {
  readonly version: number;
  /** JSON text. */
  readonly row: string;
}

/** What a statement that changes rows gives back of each, see `found`. */
export const FOUND_VM_COLUMNS = 'coalesce(vms.version, 0) AS version, public.vm_text(vms) AS row';

export interface FoundRow {
  readonly version: string;
  readonly row: string;
}

export function parseFoundVm({ version, row }: FoundRow): FoundVm {
  return { version: Number(version), row };
}

/** The VM of this hostname, or undefined. */
export async function findVm(pool: pg.Pool, hostname: string): Promise<FoundVm | undefined> {
  const sql = `SELECT ${FOUND_VM_COLUMNS} FROM public.vms WHERE hostname = $1`;
  const [row] = await runReadQuery<FoundRow>(pool, sql, [hostname]);
  return row && parseFoundVm(row);
}

/** The orders in which VMs are listed; those with a `-` begin with the latest. */
export const SORTS = ['id', 'created_at', '-created_at', 'updated_at', '-updated_at'] as const;
export type Sort = (typeof SORTS)[number];

/** Where a page ended: the values that the order goes by, of its last row. */
export interface Position {
  /** ISO 8601 in UTC, or `-infinity` for a time that is NULL; undefined in the order of `id`. */
  readonly time: string | undefined;
  readonly id: number;
}

export interface VmPageQuery {
  readonly status: string | undefined;
  readonly email: string | undefined;
  readonly sort: Sort;
  readonly limit: number;
  readonly after: Position | undefined;
}

export interface VmPage {
  readonly rows: readonly VmPageRow[];
  /** To continue after; undefined at the end. */
  readonly next: Position | undefined;
}

export interface VmPageRow {
  readonly hostname: string;
  /** JSON text. */
  readonly row: string;
}

/**
 * One page of VMs. Pages hang together by the values of rows, not by counting them: what comes or goes meanwhile
 * shifts nothing.
 * @throws a `pg` error of class 22 for a time that there is not, such as the 30th of February.
 */
export async function readVmPage(pool: pg.Pool, query: VmPageQuery): Promise<VmPage> {
  const { status, email, sort, limit, after } = query;
  const values = [status, email, limit + 1, after?.id];
  if (sort !== 'id') values.push(after?.time);
  const rows = await runReadQuery<VmPageDatabaseRow>(pool, buildPageSql(sort), values);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit),
    next: last && { id: last.id, time: last.time ?? undefined },
  };
}

interface VmPageDatabaseRow extends VmPageRow {
  readonly id: number;
  readonly time: string | null;
}

/** to_json writes a time as ISO 8601, whatever the session's DateStyle. */
function buildPageSql(sort: Sort): string {
  const [above, direction] = sort.startsWith('-') ? ['<', 'DESC'] : ['>', 'ASC'];
  const time = sort === 'id' ? undefined : `coalesce(${sort.replace('-', '')}, '-infinity')`;
  const beyond = time === undefined ? 'id > $4' : `(${time}, id) ${above} ($5::timestamp, $4::int)`;
  const order = time === undefined ? 'id' : `${time} ${direction}, id ${direction}`;
  return `
    SELECT id, ${time === undefined ? 'NULL' : `to_json(${time}) #>> '{}'`} AS time, hostname, public.vm_text(vms) AS row
    FROM public.vms
    WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR email = $2)
      AND ($4::int IS NULL OR ${beyond})
    ORDER BY ${order} LIMIT $3`;
}
