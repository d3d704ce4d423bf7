// Who gets which VM. A person, named by email, is given one at most, however many ask for her at the same moment; a free
// VM goes to one person, one agentFilter agent is online before others.

import type pg from 'pg';
import { countByStatus, type StatusCounts } from './counts.js';
import { runWriteTransaction, type Actor } from './transaction.js';
import { parseFoundVm, FOUND_VM_COLUMNS, type FoundRow, type FoundVm } from './vms.js';

export interface AssignRequest {
  readonly email: string;
  /** Undefined: none for a VM that is given now; as it is for the VM that the person has already. */
  readonly crdCommand: string | undefined;
}

export type AssignResult =
  | {
      readonly outcome: 'assigned' | 'kept';
      readonly vm: FoundVm;
      /** Whether the VM's agent is online. */
      readonly online: boolean;
    }
  /** Nobody's VM is free; how many there are of each status. */
  | { readonly outcome: 'none-free'; readonly counts: StatusCounts };

/**
 * Gives the person a VM: the one in use by her, or of those that are free, of those agentFilter agent is online if there are
 * any, the one that has been available for longest.
 * Right because each statement of a change sees what was committed before it began.
 */
export function assignVm(
  pool: pg.Pool,
  actor: Actor,
  request: AssignRequest,
): Promise<AssignResult> {
  return runWriteTransaction(pool, actor, async (client) => {
    // Alone, because the statement that looks must begin after the lock is there: in one statement with it, twenty
    // requests of one person at once got two seats.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [
      request.email,
      LOCK_SEED,
    ]);
    const kept = await keepCurrent(client, request);
    if (kept !== undefined) return { outcome: 'kept', ...kept };
    for (const [agentFilter, lockWaitPolicy] of ATTEMPTS) {
      const taken = await takeAvailable(client, request, agentFilter, lockWaitPolicy);
      if (taken !== undefined) return { outcome: 'assigned', ...taken };
    }
    return { outcome: 'none-free', counts: await countByStatus(client) };
  });
}

/** A VM, and whether its agent is online. */
interface AssignedVm {
  readonly vm: FoundVm;
  readonly online: boolean;
}

type AssignedVmRow = FoundRow & { readonly online: boolean };

/** Whether a VM's agent is online: by the time of the statement, because its transaction may have waited for a lock. */
const ONLINE = `EXISTS (
  SELECT FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway
  WHERE p.hostname = vms.hostname AND p.online AND g.lease_until > statement_timestamp())`;

const ASSIGNED_VM_COLUMNS = `${FOUND_VM_COLUMNS}, ${ONLINE} AS online`;

/**
 * SKIP LOCKED lets many take VMs side by side, but passes over one agentFilter holder then rolls back; without it the
 * statement waits for each holder, and so says "none" only when there is none. Nobody waits for an agent that is
 * online while another VM is free.
 */
const ATTEMPTS = [
  [`AND ${ONLINE}`, 'SKIP LOCKED'],
  ['', 'SKIP LOCKED'],
  ['', ''],
] as const;
type AgentFilter = (typeof ATTEMPTS)[number][0];
type LockWaitPolicy = (typeof ATTEMPTS)[number][1];

/** Keeps these locks apart from those of other programs, whatever an email hashes to. */
const LOCK_SEED = 0x6c_61_62_6c;

/** The VM that the person has, with the new command if one is given. A failed VM is no seat. */
async function keepCurrent(
  client: pg.ClientBase,
  request: AssignRequest,
): Promise<AssignedVm | undefined> {
  const { rows } = await client.query<AssignedVmRow & { id: number }>(
    `SELECT id, ${ASSIGNED_VM_COLUMNS} FROM public.vms WHERE email = $1 AND status = 'in-use'
     ORDER BY updated_at, id LIMIT 1 FOR UPDATE`,
    [request.email],
  );
  const [current] = rows;
  if (current === undefined || request.crdCommand === undefined)
    return current && parseAssignedVm(current);
  return parseFirstAssignedVm(
    await client.query<AssignedVmRow>(
      `UPDATE public.vms SET crd_command = $2 WHERE id = $1 RETURNING ${ASSIGNED_VM_COLUMNS}`,
      [current.id, request.crdCommand],
    ),
  );
}

async function takeAvailable(
  client: pg.ClientBase,
  { email, crdCommand }: AssignRequest,
  agentFilter: AgentFilter,
  lockWaitPolicy: LockWaitPolicy,
): Promise<AssignedVm | undefined> {
  return parseFirstAssignedVm(
    await client.query<AssignedVmRow>(
      `UPDATE public.vms SET status = 'in-use', email = $1, crd_command = $2
       WHERE id = (
         SELECT id FROM public.vms WHERE status = 'available' ${agentFilter}
         ORDER BY updated_at NULLS FIRST, id LIMIT 1 FOR UPDATE ${lockWaitPolicy}
       ) RETURNING ${ASSIGNED_VM_COLUMNS}`,
      [email, crdCommand],
    ),
  );
}

/**
 * Ends exactly this assignment: the VM is free again, or stays failed without its person. Undefined when it is no
 * longer, or never was, anyone's.
 */
export function releaseAssignment(
  pool: pg.Pool,
  actor: Actor,
  assignmentId: string,
): Promise<FoundVm | undefined> {
  return runWriteTransaction(pool, actor, async (client) =>
    parseFirstVm(
      await client.query<FoundRow>(
        `UPDATE public.vms SET email = NULL, crd_command = NULL,
           status = CASE status WHEN 'in-use' THEN 'available' ELSE status END
         WHERE assignment_id = $1 RETURNING ${FOUND_VM_COLUMNS}`,
        [assignmentId],
      ),
    ),
  );
}

const parseAssignedVm = (row: AssignedVmRow): AssignedVm => ({
  vm: parseFoundVm(row),
  online: row.online,
});

function parseFirstAssignedVm({ rows }: pg.QueryResult<AssignedVmRow>): AssignedVm | undefined {
  return rows[0] && parseAssignedVm(rows[0]);
}

function parseFirstVm({ rows }: pg.QueryResult<FoundRow>): FoundVm | undefined {
  return rows[0] && parseFoundVm(rows[0]);
}
