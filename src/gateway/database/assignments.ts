// Who gets which VM. A person, named by email, is given one at most, however many ask for her at the same moment; a free
// VM goes to one person, one whose agent is online before others.

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
  | {
      readonly outcome: 'assigned' | 'kept';
      readonly vm: FoundVm;
      /** Whether the VM's agent is online. */
      readonly online: boolean;
    }
  /** Nobody's VM is free; how many there are of each status. */
  | { readonly outcome: 'none-free'; readonly counts: Counts };

/**
 * Gives the person a VM: the one in use by her, or of those that are free, of those whose agent is online if there are
 * any, the one that has been available for longest.
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
    if (kept !== undefined) return { outcome: 'kept', ...kept };
    for (const [whose, patience] of ATTEMPTS) {
      const taken = await take(client, wish, whose, patience);
      if (taken !== undefined) return { outcome: 'assigned', ...taken };
    }
    return { outcome: 'none-free', counts: await countByStatus(client) };
  });
}

/** A VM, and whether its agent is online. */
interface Seat {
  readonly vm: FoundVm;
  readonly online: boolean;
}

type SeatRow = FoundRow & { readonly online: boolean };

/** Whether a VM's agent is online: by the time of the statement, because its transaction may have waited for a lock. */
const ONLINE = `EXISTS (
  SELECT FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway
  WHERE p.hostname = vms.hostname AND p.online AND g.lease_until > statement_timestamp())`;

const SEAT = `${FOUND}, ${ONLINE} AS online`;

/**
 * SKIP LOCKED lets many take VMs side by side, but passes over one whose holder then rolls back; without it the
 * statement waits for each holder, and so says "none" only when there is none. Nobody waits for an agent that is
 * online while another VM is free.
 */
const ATTEMPTS = [
  [`AND ${ONLINE}`, 'SKIP LOCKED'],
  ['', 'SKIP LOCKED'],
  ['', ''],
] as const;
type Whose = (typeof ATTEMPTS)[number][0];
type Patience = (typeof ATTEMPTS)[number][1];

/** Keeps these locks apart from those of other programs, whatever an email hashes to. */
const LOCK_SEED = 0x6c_61_62_6c;

/** The VM that the person has, with the new command if one is given. A failed VM is no seat. */
async function keep(client: pg.ClientBase, wish: Wish): Promise<Seat | undefined> {
  const { rows } = await client.query<SeatRow & { id: number }>(
    `SELECT id, ${SEAT} FROM public.vms WHERE email = $1 AND status = 'in-use'
     ORDER BY updated_at, id LIMIT 1 FOR UPDATE`,
    [wish.email],
  );
  const [held] = rows;
  if (held === undefined || wish.crdCommand === undefined) return held && seat(held);
  return seatOf(
    await client.query<SeatRow>(
      `UPDATE public.vms SET crd_command = $2 WHERE id = $1 RETURNING ${SEAT}`,
      [held.id, wish.crdCommand],
    ),
  );
}

async function take(
  client: pg.ClientBase,
  { email, crdCommand }: Wish,
  whose: Whose,
  patience: Patience,
): Promise<Seat | undefined> {
  return seatOf(
    await client.query<SeatRow>(
      `UPDATE public.vms SET status = 'in-use', email = $1, crd_command = $2
       WHERE id = (
         SELECT id FROM public.vms WHERE status = 'available' ${whose}
         ORDER BY updated_at NULLS FIRST, id LIMIT 1 FOR UPDATE ${patience}
       ) RETURNING ${SEAT}`,
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

const seat = (row: SeatRow): Seat => ({ vm: found(row), online: row.online });

function seatOf({ rows }: pg.QueryResult<SeatRow>): Seat | undefined {
  return rows[0] && seat(rows[0]);
}

function only({ rows }: pg.QueryResult<FoundRow>): FoundVm | undefined {
  return rows[0] && found(rows[0]);
}
