// Reads `vms` for the HTTP API. Rows are JSON texts written by PostgreSQL, the same as in
// notifications.

import { isElementError, processInHalves } from '../../postgres/isolate.js';
import type { ConnectionSource } from './connection-source.js';
import { readInPieces } from './read-in-pieces.js';
import { runReadQuery } from './transaction.js';
import { explainUnreadableRow } from './unreadable-row.js';

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
 * @throws UnreadableRowError
 */
export async function findVm(
  pool: ConnectionSource,
  hostname: string,
): Promise<FoundVm | undefined> {
  const sql = `SELECT ${FOUND_VM_COLUMNS} FROM public.vms WHERE hostname = $1`;
  const [row] = await explainUnreadableRow(pool, hostname, () =>
    runReadQuery<FoundRow>(pool, sql, [hostname]),
  );
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
 * @param project reduces the text of each row, as soon as it is read
 * @throws a `pg` error of class 22 for a time that does not exist, such as the 30th of February
 */
export async function readVmPage(
  pool: ConnectionSource,
  query: VmPageQuery,
  project: (row: string) => string = (row) => row,
): Promise<VmPage> {
  const { status, email, sort, limit, after } = query;
  const values = [status, email, limit + 1, after?.id];
  if (sort !== 'id') values.push(after?.time);
  const { positions, rows } = await readPositionsAndRows(pool, sort, values, limit + 1, project);
  const last = positions.length > limit ? positions[limit - 1] : undefined;
  const isInPage = new Set(positions.slice(0, limit).map(({ id }) => id));
  return {
    rows: rows.filter(({ id }) => isInPage.has(id)),
    next: last && { id: last.id, time: last.time ?? undefined },
  };
}

/**
 * Reads the rows together with their positions. A row with a value that is not a text in the
 * client's encoding is left out, and has a position only.
 */
async function readPositionsAndRows(
  pool: ConnectionSource,
  sort: Sort,
  values: readonly unknown[],
  maxRows: number,
  project: (row: string) => string,
): Promise<{ positions: readonly RowPosition[]; rows: readonly VmPageDatabaseRow[] }> {
  try {
    const query = { sql: buildPageSql(sort, ROW), values, maxRows };
    const rows = await readInPieces(pool, query, (row: VmPageDatabaseRow & RowPosition) => ({
      ...row,
      row: project(row.row),
    }));
    return { positions: rows, rows };
  } catch (error) {
    if (!isElementError(error)) throw error;
  }
  const positions = await runReadQuery<RowPosition>(pool, buildPageSql(sort, ''), values);
  const readSome = (some: readonly RowPosition[]) =>
    runReadQuery<VmPageDatabaseRow>(pool, BY_IDS, [some.map(({ id }) => id)]);
  const found = (await processInHalves(positions, readSome, () => undefined)).flat();
  const byId = new Map(found.map((row) => [row.id, row]));
  const rows = positions
    .map(({ id }) => byId.get(id))
    .filter((row) => row !== undefined)
    .map((row) => ({ ...row, row: project(row.row) }));
  return { positions, rows };
}

interface RowPosition {
  readonly id: number;
  readonly time: string | null;
}

type VmPageDatabaseRow = VmPageRow & Pick<RowPosition, 'id'>;

const ROW = ', hostname, public.vm_text(vms) AS row';
const BY_IDS = `SELECT id${ROW} FROM public.vms WHERE id = ANY ($1::int8[])`;

/**
 * Builds the query of a page: the positions of its rows, and the columns of `row`. `to_json` writes
 * times as ISO 8601, whatever the DateStyle of the session.
 */
function buildPageSql(sort: Sort, row: string): string {
  const [above, direction] = sort.startsWith('-') ? ['<', 'DESC'] : ['>', 'ASC'];
  const time = sort === 'id' ? undefined : `coalesce(${sort.replace('-', '')}, '-infinity')`;
  const beyond = time === undefined ? 'id > $4' : `(${time}, id) ${above} ($5::timestamp, $4::int)`;
  const order = time === undefined ? 'id' : `${time} ${direction}, id ${direction}`;
  return `
    SELECT id, ${time === undefined ? 'NULL' : `to_json(${time}) #>> '{}'`} AS time${row}
    FROM public.vms
    WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR email = $2)
      AND ($4::int IS NULL OR ${beyond})
    ORDER BY ${order} LIMIT $3`;
}
