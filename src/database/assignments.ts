// Who gets which VM. A person, named by email, is given one at most, however many ask for her at the same moment; a free
// VM goes to one person.

import type pg from 'pg';
import { countByStatus, type Counts } from './counts.js';
import { change, type Actor } from './transaction.js';
import { found, FOUND, type FoundRow, type FoundVm } from './vms.js';

export interface Wish {
  readonly email: string;
  /** Undefined: none for a VM that is given now; as it is for the VM that the person has already. */
  readonly crdCommand: string | undefined;
}

export type Assigned =
  | { readonly outcome: 'assigned' | 'kept'; readonly vm: FoundVm }
  /** Nobody's VM is free; how many there are of each status. */
  | { readonly outcome: 'none-free'; readonly counts: Counts };

/**
 * Gives the person a VM: the one in use by her, or the one that has been available for longest.
 * Right because each statement of a change sees what was committed before it began.
 */
export function assign(pool: pg.Pool, actor: Actor, wish: Wish): Promise<Assigned> {
  return change(pool, actor, async (client) => {
    // Alone, because the statement that looks must begin after the lock is there: in one statement with it, twenty
    // requests of one person at once got two seats.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [
      wish.email,
      LOCK_SEED,
    ]);
    const kept = await keep(client, wish);
    if (kept !== undefined) return { outcome: 'kept', vm: kept };
    const taken = (await take(client, wish, 'SKIP LOCKED')) ?? (await take(client, wish, ''));
    if (taken !== undefined) return { outcome: 'assigned', vm: taken };
    return { outcome: 'none-free', counts: await countByStatus(client) };
  });
}

/** Keeps these locks apart from those of other programs, whatever an email hashes to. */
const LOCK_SEED = 0x6c_61_62_6c;

/** The VM that the person has, with the new command if one is given. A failed VM is no seat. */
async function keep(client: pg.ClientBase, wish: Wish): Promise<FoundVm | undefined> {
  const { rows } = await client.query<FoundRow & { id: number }>(
    `SELECT id, ${FOUND} FROM public.vms WHERE email = $1 AND status = 'in-use'
     ORDER BY updated_at, id LIMIT 1 FOR UPDATE`,
    [wish.email],
  );
  const [held] = rows;
  if (held === undefined || wish.crdCommand === undefined) return held && found(held);
  return only(
    await client.query<FoundRow>(
      `UPDATE public.vms SET crd_command = $2 WHERE id = $1 RETURNING ${FOUND}`,
      [held.id, wish.crdCommand],
    ),
  );
}

/**
 * SKIP LOCKED lets many take VMs side by side, but passes over one whose holder then rolls back; without it the
 * statement waits for each holder, and so says "none" only when there is none.
 */
async function take(
  client: pg.ClientBase,
  { email, crdCommand }: Wish,
  patience: 'SKIP LOCKED' | '',
): Promise<FoundVm | undefined> {
  return only(
    await client.query<FoundRow>(
      `UPDATE public.vms SET status = 'in-use', email = $1, crd_command = $2
       WHERE id = (
         SELECT id FROM public.vms WHERE status = 'available'
         ORDER BY updated_at NULLS FIRST, id LIMIT 1 FOR UPDATE ${patience}
       ) RETURNING ${FOUND}`,
      [email, crdCommand],
    ),
  );
}

/**
 * Ends exactly this assignment: the VM is free again, or stays failed without its person. Undefined when it is no
 * longer, or never was, anyone's.
 */
export function release(
  pool: pg.Pool,
  actor: Actor,
  assignmentId: string,
): Promise<FoundVm | undefined> {
  return change(pool, actor, async (client) =>
    only(
      await client.query<FoundRow>(
        `UPDATE public.vms SET email = NULL, crd_command = NULL,
           status = CASE status WHEN 'in-use' THEN 'available' ELSE status END
         WHERE assignment_id = $1 RETURNING ${FOUND}`,
        [assignmentId],
      ),
    ),
  );
}

function only({ rows }: pg.QueryResult<FoundRow>): FoundVm | undefined {
  return rows[0] && found(rows[0]);
}
