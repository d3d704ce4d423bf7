// Changes of single VMs, and the clearing of all. A row is locked before it is decision, so that what it is decision by is
// what is changed.

import type pg from 'pg';
import {
  decideChange,
  type VmChange,
  type VmValues,
  type RejectedChange,
} from './decide-change.js';
import { runWriteTransaction as inTransaction, type Actor } from './transaction.js';
import { parseFoundVm, FOUND_VM_COLUMNS, type FoundRow, type FoundVm } from './vms.js';

/** Whether the row is still the one that the asker has seen, by its version. */
export type Precondition = (version: number) => boolean;

export type ChangeResult =
  | { readonly outcome: 'changed'; readonly vm: FoundVm }
  | { readonly outcome: 'no-vm' }
  /** The precondition does not hold; the version there is. */
  | { readonly outcome: 'version-conflict'; readonly version: number }
  | { readonly outcome: 'rejected'; readonly why: RejectedChange };

type LockedRow = FoundRow & {
  id: number;
  status: string;
  email: string | null;
  command: string | null;
};

/** Changes status, person or command of one VM, as `judge` decides. */
export function changeVm(
  pool: pg.Pool,
  actor: Actor,
  hostname: string,
  change: VmChange,
  precondition: Precondition,
): Promise<ChangeResult> {
  return inTransaction(pool, actor, async (client): Promise<ChangeResult> => {
    const locked = await lockRow(client, hostname);
    if (locked === undefined) return { outcome: 'no-vm' };
    const version = Number(locked.version);
    if (!precondition(version)) return { outcome: 'version-conflict', version };
    const current = { status: locked.status, email: locked.email, crdCommand: locked.command };
    const decision = decideChange(current, change);
    if ('rejected' in decision) return { outcome: 'rejected', why: decision };
    return { outcome: 'changed', vm: await updateRow(client, locked.id, decision) };
  });
}

async function lockRow(client: pg.ClientBase, hostname: string): Promise<LockedRow | undefined> {
  const { rows } = await client.query<LockedRow>(
    `SELECT id, status, email, crd_command AS command, ${FOUND_VM_COLUMNS}
     FROM public.vms WHERE hostname = $1 FOR UPDATE`,
    [hostname],
  );
  return rows[0];
}

async function updateRow(client: pg.ClientBase, id: number, values: VmValues): Promise<FoundVm> {
  const { rows } = await client.query<FoundRow>(
    `UPDATE public.vms SET status = $2, email = $3, crd_command = $4 WHERE id = $1 RETURNING ${FOUND_VM_COLUMNS}`,
    [id, values.status, values.email, values.crdCommand],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a row that was locked is gone');
  return parseFoundVm(row);
}

export interface RegisterResult {
  readonly isNew: boolean;
  readonly vm: FoundVm;
}

/** Makes the VM known, available; one that is known stays as it is. */
export function registerVm(pool: pg.Pool, actor: Actor, hostname: string): Promise<RegisterResult> {
  return inTransaction(pool, actor, (client) => registerHostname(client, hostname));
}

/** The same as a part of a larger change. */
export async function registerHostname(
  client: pg.ClientBase,
  hostname: string,
): Promise<RegisterResult> {
  const insert = `INSERT INTO public.vms (hostname, status) VALUES ($1, 'available')
    ON CONFLICT (hostname) DO NOTHING RETURNING ${FOUND_VM_COLUMNS}`;
  // Another may make the row after it was looked for, and remove it before it is looked for again.
  for (;;) {
    const locked = await lockRow(client, hostname);
    if (locked !== undefined) return { isNew: false, vm: parseFoundVm(locked) };
    const { rows } = await client.query<FoundRow>(insert, [hostname]);
    if (rows[0] !== undefined) return { isNew: true, vm: parseFoundVm(rows[0]) };
  }
}

/** Removes the row; says whether there was one. */
export function deleteVm(
  pool: pg.Pool,
  actor: Actor,
  hostname: string,
  precondition: Precondition,
): Promise<'deleted' | 'no-vm' | { readonly currentVersion: number }> {
  return inTransaction(pool, actor, async (client) => {
    const locked = await lockRow(client, hostname);
    if (locked === undefined) return 'no-vm';
    const version = Number(locked.version);
    if (!precondition(version)) return { currentVersion: version };
    await client.query('DELETE FROM public.vms WHERE id = $1', [locked.id]);
    return 'deleted';
  });
}

/**
 * Removes all rows if there are exactly so many; gives how many there are. The lock keeps writers, and no readers, out
 * between the counting and the removing. A weaker one would let in who locks a row first and then changes it, and each
 * would wait for the other.
 */
export function clearVms(pool: pg.Pool, actor: Actor, expected: number): Promise<number> {
  return inTransaction(pool, actor, async (client) => {
    await client.query('LOCK TABLE public.vms IN EXCLUSIVE MODE');
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM public.vms');
    const count = Number(rows[0]?.count);
    if (count === expected) await client.query('DELETE FROM public.vms');
    return count;
  });
}
