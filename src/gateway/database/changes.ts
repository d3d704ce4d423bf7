// Registers, changes and deletes VMs. Each row is locked before a change is decided, so that the
// decision is about the row that is changed.

import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import {
  decideChange,
  decideRelease,
  type VmChange,
  type VmValues,
  type RejectedChange,
} from './decide-change.js';
import { checkNewHostname } from './new-hostname.js';
import { AlteredWriteError } from './rule-violation.js';
import { runWriteTransaction as inTransaction, type Actor } from './transaction.js';
import { explainUnreadableRow } from './unreadable-row.js';
import { parseFoundVm, FOUND_VM_COLUMNS, type FoundRow, type FoundVm } from './vms.js';

/** Whether a row with this version is one that the client accepts. */
export type Precondition = (version: number) => boolean;

/** The result of a change. */
export type ChangeResult =
  | { readonly outcome: 'changed'; readonly vm: FoundVm }
  | { readonly outcome: 'no-vm' }
  /** The precondition does not hold; `version` is the current one. */
  | { readonly outcome: 'version-conflict'; readonly version: number }
  | { readonly outcome: 'rejected'; readonly why: RejectedChange };

type LockedRow = FoundRow & {
  id: number;
  /** The table or partition of the row; a child of `vms` may have a row with the same id. */
  tableoid: number;
  status: string;
  email: string | null;
  command: string | null;
};

/**
 * Changes status, person or command of one VM by the rules of `decideChange`.
 * @throws UnreadableRowError
 */
export function changeVm(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
  change: VmChange,
  precondition: Precondition,
): Promise<ChangeResult> {
  const decide = (current: VmValues) => decideChange(current, change);
  return changeRow(pool, actor, hostname, precondition, decide);
}

/**
 * Ends the assignment of one VM by the rules of `decideRelease`.
 * @throws UnreadableRowError
 */
export function releaseHostname(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
  precondition: Precondition,
): Promise<ChangeResult> {
  return changeRow(pool, actor, hostname, precondition, decideRelease);
}

function changeRow(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
  precondition: Precondition,
  decide: (current: VmValues) => VmValues | RejectedChange,
): Promise<ChangeResult> {
  const run = async (client: pg.ClientBase): Promise<ChangeResult> => {
    const locked = await lockRow(client, hostname);
    if (locked === undefined) return { outcome: 'no-vm' };
    const version = Number(locked.version);
    if (!precondition(version)) return { outcome: 'version-conflict', version };
    const current = { status: locked.status, email: locked.email, crdCommand: locked.command };
    const decision = decide(current);
    if ('rejected' in decision) return { outcome: 'rejected', why: decision };
    return { outcome: 'changed', vm: await updateRow(client, locked, decision) };
  };
  return explainUnreadableRow(pool, hostname, () => inTransaction(pool, actor, run));
}

async function lockRow(client: pg.ClientBase, hostname: string): Promise<LockedRow | undefined> {
  const { rows } = await client.query<LockedRow>(
    `SELECT id, tableoid, status, email, crd_command AS command, ${FOUND_VM_COLUMNS}
     FROM public.vms WHERE hostname = $1 FOR UPDATE`,
    [hostname],
  );
  return rows[0];
}

async function updateRow(
  client: pg.ClientBase,
  { id, tableoid }: LockedRow,
  values: VmValues,
): Promise<FoundVm> {
  const { rows } = await client.query<FoundRow>(
    `UPDATE public.vms SET status = $3, email = $4, crd_command = $5
     WHERE id = $1 AND tableoid = $2 RETURNING ${FOUND_VM_COLUMNS}`,
    [id, tableoid, values.status, values.email, values.crdCommand],
  );
  const [row] = rows;
  // The row is locked, so that only a trigger or a rule can have prevented the update.
  if (row === undefined) throw new AlteredWriteError('a trigger that drops the change');
  return parseFoundVm(row);
}

/** The registered VM, and whether it is new. */
export interface RegisterResult {
  readonly isNew: boolean;
  readonly vm: FoundVm;
}

/** Registers a VM as `available`. A VM that is registered already is not changed. */
export function registerVm(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
): Promise<RegisterResult> {
  return explainUnreadableRow(pool, hostname, () =>
    inTransaction(pool, actor, (client) => registerHostname(client, hostname)),
  );
}

/**
 * How often the row is looked for: another transaction may insert it after the first query, and
 * delete it before the next one. Only a trigger can cause so many misses in a row.
 */
const MAX_LOOKS = 50;

/**
 * Registers a VM like `registerVm`, in a transaction of the caller.
 * @throws HostnameRejection if a new VM may not have the hostname
 * @throws AlteredWriteError if the database stores another hostname, or does not store the row
 */
export async function registerHostname(
  client: pg.ClientBase,
  hostname: string,
): Promise<RegisterResult> {
  const insert = `INSERT INTO public.vms (hostname, status) VALUES ($1, 'available')
    ON CONFLICT (hostname) DO NOTHING RETURNING hostname, ${FOUND_VM_COLUMNS}`;
  for (let look = 1; look <= MAX_LOOKS; look++) {
    const locked = await lockRow(client, hostname);
    if (locked !== undefined) return { isNew: false, vm: parseFoundVm(locked) };
    await checkNewHostname(client, hostname);
    const { rows } = await client.query<FoundRow & { hostname: string }>(insert, [hostname]);
    const [row] = rows;
    if (row?.hostname === hostname) return { isNew: true, vm: parseFoundVm(row) };
    if (row !== undefined) break;
  }
  throw new AlteredWriteError('a trigger that stores another hostname, or drops the row,');
}

/** Deletes the row of a VM if the precondition holds. */
export function deleteVm(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
  precondition: Precondition,
): Promise<'deleted' | 'no-vm' | { readonly currentVersion: number }> {
  return inTransaction(pool, actor, async (client) => {
    // Only numbers, so that a row whose texts cannot be read can be deleted.
    const { rows } = await client.query<Pick<LockedRow, 'id' | 'tableoid' | 'version'>>(
      `SELECT id, tableoid, coalesce(version, 0) AS version
       FROM public.vms WHERE hostname = $1 FOR UPDATE`,
      [hostname],
    );
    const [locked] = rows;
    if (locked === undefined) return 'no-vm';
    const version = Number(locked.version);
    if (!precondition(version)) return { currentVersion: version };
    const { rowCount } = await client.query(
      'DELETE FROM public.vms WHERE id = $1 AND tableoid = $2',
      [locked.id, locked.tableoid],
    );
    if (rowCount === 0) throw new AlteredWriteError('a trigger that drops the change');
    return 'deleted';
  });
}

/**
 * Deletes all rows if there are exactly `expected`, and returns how many there were. The lock
 * excludes writers, but not readers, between counting and deleting. A weaker lock would admit
 * transactions that lock a row before they change it, which can deadlock.
 */
export function clearVms(pool: ConnectionSource, actor: Actor, expected: number): Promise<number> {
  return inTransaction(pool, actor, async (client) => {
    await client.query('LOCK TABLE public.vms IN EXCLUSIVE MODE');
    const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM public.vms');
    const count = Number(rows[0]?.count);
    if (count === expected) await client.query('DELETE FROM public.vms');
    return count;
  });
}
