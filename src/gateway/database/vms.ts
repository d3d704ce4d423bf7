// Reads `vms` for the HTTP API. Rows are JSON texts written by PostgreSQL, the same as in
// notifications.

import type { ConnectionSource } from './connection-source.js';
import { runReadQuery } from './transaction.js';

/** A row of `vms`. */
export interface FoundVm {
  readonly version: number;
  /** JSON text. */
  readonly row: string;
}

/** The columns that `parseFoundVm` reads, for a SELECT or a RETURNING clause. */
export const FOUND_VM_COLUMNS = 'coalesce(vms.version, 0) AS version, public.vm_text(vms) AS row';

/** A row with these columns. */
export interface FoundRow {
  readonly version: string;
  readonly row: string;
}

/** Converts a row of the database to a `FoundVm`. */
export function parseFoundVm({ version, row }: FoundRow): FoundVm {
  return { version: Number(version), row };
}

/**
 * Reads the VM of this hostname.
 * @returns undefined if there is none
 */
export async function findVm(
  pool: ConnectionSource,
  hostname: string,
): Promise<FoundVm | undefined> {
  const sql = `SELECT ${FOUND_VM_COLUMNS} FROM public.vms WHERE hostname = $1`;
  const [row] = await runReadQuery<FoundRow>(pool, sql, [hostname]);
  return row && parseFoundVm(row);
}

/** The sort orders of a list of VMs. A `-` means descending: the latest first. */
export const SORTS = ['id', 'created_at', '-created_at', 'updated_at', '-updated_at'] as const;
export type Sort = (typeof SORTS)[number];

/** The end of a page: the values of its last row by which the list is sorted. */
export interface Position {
  /** ISO 8601 in UTC, or `-infinity` for NULL; undefined if the list is sorted by `id`. */
  readonly time: string | undefined;
  readonly id: number;
}

/** Selects a page of VMs. */
export interface VmPageQuery {
  readonly status: string | undefined;
  readonly email: string | undefined;
  readonly sort: Sort;
  readonly limit: number;
  readonly after: Position | undefined;
}

/** A page of VMs. */
export interface VmPage {
  readonly rows: readonly VmPageRow[];
  /** The `after` of the next page; undefined at the end. */
  readonly next: Position | undefined;
}

/** A row of a page. */
export interface VmPageRow {
  readonly hostname: string;
  /** JSON text. */
  readonly row: string;
}

/**
 * Reads one page of VMs. A page continues after the values of the last row, not after a number of
 * rows. Rows inserted or deleted in between therefore shift nothing.
 * @throws a `pg` error of class 22 for a time that does not exist, such as the 30th of February
 */
export async function readVmPage(pool: ConnectionSource, query: VmPageQuery): Promise<VmPage> {
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

/**
 * Builds the query of a page. `to_json` writes times as ISO 8601, whatever the DateStyle of the
 * session.
 */
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
