// The queries of the HTTP surface about rows of `vms`. Rows come as the JSON text that PostgreSQL makes of them.

import type pg from 'pg';

export interface FoundVm {
  readonly version: number;
  /** JSON text. */
  readonly row: string;
}

/** The VM of this hostname, or undefined. */
export async function findVm(pool: pg.Pool, hostname: string): Promise<FoundVm | undefined> {
  const { rows } = await pool.query<{ version: string; row_text: string }>(
    'SELECT version, row_text FROM public.read_vms(ARRAY[$1])',
    [hostname],
  );
  const [found] = rows;
  return found && { version: Number(found.version), row: found.row_text };
}

export interface VmFilter {
  readonly status: string | undefined;
  readonly email: string | undefined;
  readonly limit: number;
  /** The `id` after which to begin. */
  readonly after: number | undefined;
}

export interface VmPage {
  /** Each row's JSON text, in the order of `id`. */
  readonly rows: readonly string[];
  /** The `id` to continue after, or undefined at the end. */
  readonly next: number | undefined;
}

/** One page of VMs. */
export async function listVms(pool: pg.Pool, filter: VmFilter): Promise<VmPage> {
  const { status, email, limit, after } = filter;
  const { rows } = await pool.query<{ id: number; row: string }>(
    `SELECT id, row_to_json(v)::text AS row FROM public.vms v
     WHERE id > $1 AND status = coalesce($2, status)
       AND ($3::text IS NULL OR email = $3)
     ORDER BY id LIMIT $4`,
    [after ?? 0, status, email, limit + 1],
  );
  const page = rows.slice(0, limit);
  return {
    rows: page.map(({ row }) => row),
    next: rows.length > limit ? page.at(-1)?.id : undefined,
  };
}
