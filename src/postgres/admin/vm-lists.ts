// Lists of VMs for operators. The command of a VM, which often holds a one-time code, is among it only when asked for.

import type pg from 'pg';

export interface VmFilter {
  readonly status: string | undefined;
  readonly email: string | undefined;
  readonly commands: boolean;
}

export interface ListedVm {
  readonly hostname: string;
  readonly status: string;
  readonly email: string | null;
  /** As PostgreSQL writes it, in UTC. */
  readonly created_at: string | null;
  readonly updated_at: string | null;
  readonly version: number | null;
  readonly assignment_id: string | null;
  /** There where it was asked for. */
  readonly crd_command?: string | null;
}

export interface StatusCount {
  readonly status: string;
  readonly count: number;
}

/** Those in use begin with the latest change, others with the oldest VM. */
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

export async function countVms(session: pg.Client): Promise<StatusCount[]> {
  const { rows } = await session.query<StatusCount>(
    'SELECT status, count(*)::float8 AS count FROM public.vms GROUP BY status ORDER BY status',
  );
  return rows;
}
