// Changes of single VMs, and the clearing of all. A row is locked before it is judged, so that what it is judged by is
// what is changed.

import type pg from 'pg';
import { judge, type Change, type Current, type RefusedChange } from './judgement.js';
import { change as inTransaction, type Actor } from './transaction.js';
import { found, FOUND, type FoundRow, type FoundVm } from './vms.js';

/** Whether the row is still the one that the asker has seen, by its version. */
export type Precondition = (version: number) => boolean;

export type Changed =
  | { readonly outcome: 'changed'; readonly vm: FoundVm }
  | { readonly outcome: 'no-vm' }
  /** The precondition does not hold; the version there is. */
  | { readonly outcome: 'moved-on'; readonly version: number }
  | { readonly outcome: 'refused'; readonly why: RefusedChange };

type Held = FoundRow & { id: number; status: string; email: string | null; command: string | null };

/** Changes status, person or command of one VM, as `judge` decides. */
export function changeVm(
  pool: pg.Pool,
  actor: Actor,
  hostname: string,
  change: Change,
  precondition: Precondition,
): Promise<Changed> {
  return inTransaction(pool, actor, async (client): Promise<Changed> => {
    const held = await hold(client, hostname);
    if (held === undefined) return { outcome: 'no-vm' };
    const version = Number(held.version);
    if (!precondition(version)) return { outcome: 'moved-on', version };
    const current = { status: held.status, email: held.email, crdCommand: held.command };
    const judged = judge(current, change);
    if ('refused' in judged) return { outcome: 'refused', why: judged };
    return { outcome: 'changed', vm: await write(client, held.id, judged) };
  });
}

async function hold(client: pg.ClientBase, hostname: string): Promise<Held | undefined> {
  const { rows } = await client.query<Held>(
    `SELECT id, status, email, crd_command AS command, ${FOUND}
     FROM public.vms WHERE hostname = $1 FOR UPDATE`,
    [hostname],
  );
  return rows[0];
}

async function write(client: pg.ClientBase, id: number, values: Current): Promise<FoundVm> {
  const { rows } = await client.query<FoundRow>(
    `UPDATE public.vms SET status = $2, email = $3, crd_command = $4 WHERE id = $1 RETURNING ${FOUND}`,
    [id, values.status, values.email, values.crdCommand],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a row that was locked is gone');
  return found(row);
}

export interface Registered {
  readonly isNew: boolean;
  readonly vm: FoundVm;
}

/** Makes the VM known, available; one that is known stays as it is. */
export function registerVm(pool: pg.Pool, actor: Actor, hostname: string): Promise<Registered> {
  return inTransaction(pool, actor, (client) => makeKnown(client, hostname));
}

/** The same as a part of a larger change. */
export async function makeKnown(client: pg.ClientBase, hostname: string): Promise<Registered> {
  const insert = `INSERT INTO public.vms (hostname, status) VALUES ($1, 'available')
    ON CONFLICT (hostname) DO NOTHING RETURNING ${FOUND}`;
  // Another may make the row after it was looked for, and remove it before it is looked for again.
  for (;;) {
    const held = await hold(client, hostname);
    if (held !== undefined) return { isNew: false, vm: found(held) };
    const { rows } = await client.query<FoundRow>(insert, [hostname]);
    if (rows[0] !== undefined) return { isNew: true, vm: found(rows[0]) };
  }
}

/** Removes the row; says whether there was one. */
export function deleteVm(
  pool: pg.Pool,
  actor: Actor,
  hostname: string,
  precondition: Precondition,
): Promise<'deleted' | 'no-vm' | { readonly movedOnTo: number }> {
  return inTransaction(pool, actor, async (client) => {
    const held = await hold(client, hostname);
    if (held === undefined) return 'no-vm';
    const version = Number(held.version);
    if (!precondition(version)) return { movedOnTo: version };
    await client.query('DELETE FROM public.vms WHERE id = $1', [held.id]);
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
