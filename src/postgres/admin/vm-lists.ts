// Lists of VMs for operators. A VM's command, which often holds a one-time code, is listed only on
// request.

import type pg from 'pg';

export interface VmFilter {
  readonly status: string | undefined;
  readonly email: string | undefined;
  /** Whether to list `crd_command`. */
  readonly commands: boolean;
}

export interface ListedVm {
  readonly hostname: string;
  readonly status: string;
  readonly email: string | null;
  /** PostgreSQL's text, in UTC. */
  readonly created_at: string | null;
  readonly updated_at: string | null;
  readonly version: number | null;
  readonly assignment_id: string | null;
  /** Absent unless requested. */
  readonly crd_command?: string | null;
}

export interface StatusCount {
  readonly status: string;
  readonly count: number;
}

/** Lists the VMs that pass the filter: VMs in use by latest change first, others by age. */
export async function listVms(session: pg.Client, filter: VmFilter): Promise<ListedVm[]> {
  const { status, email, commands } = filter;
  const { rows } = await session.query<ListedVm>(
    `SELECT hostname, status, email, created_at::text, updated_at::text, version::float8 AS version,
       assignment_id::text${commands ? ', crd_command' : ''}
     FROM public.vms
     WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR email = $2)
     ORDER BY ${status === 'in-use' ? 'updated_at DESC NULLS LAST' : 'created_at NULLS FIRST'}, id`,
    [status, email],
  );
  return rows;
}

/** Counts the VMs of each status. */
export async function countVms(session: pg.Client): Promise<StatusCount[]> {
  const { rows } = await session.query<StatusCount>(
    'SELECT status, count(*)::float8 AS count FROM public.vms GROUP BY status ORDER BY status',
  );
  return rows;
}
