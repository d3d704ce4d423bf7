// Reads of `vms` for the HTTP surface. Rows come as the JSON text that PostgreSQL makes of them, in the same words as
// notifications.

import type pg from 'pg';
import { read } from './transaction.js';

export interface FoundVm {
  readonly version: number;
  /** JSON text. */
  readonly row: string;
}

/** What a statement that changes rows gives back of each, see `found`. */
export const FOUND = 'coalesce(vms.version, 0) AS version, public.vm_text(vms) AS row';

export interface FoundRow {
  readonly version: string;
  readonly row: string;
}

export function found({ version, row }: FoundRow): FoundVm {
  return { version: Number(version), row };
}

/** The VM of this hostname, or undefined. */
export async function findVm(pool: pg.Pool, hostname: string): Promise<FoundVm | undefined> {
  const sql = `SELECT ${FOUND} FROM public.vms WHERE hostname = $1`;
  const [row] = await read<FoundRow>(pool, sql, [hostname]);
  return row && found(row);
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

export interface VmQuery {
  readonly status: string | undefined;
  readonly email: string | undefined;
  readonly sort: Sort;
  readonly limit: number;
  readonly after: Position | undefined;
}

export interface VmPage {
  readonly rows: readonly ListedVm[];
  /** To continue after; undefined at the end. */
  readonly next: Position | undefined;
}

export interface ListedVm {
  readonly hostname: string;
  /** JSON text. */
  readonly row: string;
}

/**
 * One page of VMs. Pages hang together by the values of rows, not by counting them: what comes or goes meanwhile
 * shifts nothing.
 * @throws a `pg` error of class 22 for a time that there is not, such as the 30th of February.
 */
export async function listVms(pool: pg.Pool, query: VmQuery): Promise<VmPage> {
  const { status, email, sort, limit, after } = query;
  const values = [status, email, limit + 1, after?.id];
  if (sort !== 'id') values.push(after?.time);
  const rows = await read<ListedRow>(pool, listSql(sort), values);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit),
    next: last && { id: last.id, time: last.time ?? undefined },
  };
}

interface ListedRow extends ListedVm {
  readonly id: number;
  readonly time: string | null;
}

/** to_json writes a time as ISO 8601, whatever the session's DateStyle. */
function listSql(sort: Sort): string {
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
