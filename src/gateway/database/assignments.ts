// Assigns VMs to people and releases them. A person, identified by email, has at most one VM, even
// with concurrent requests. A free VM is assigned to one person only, and VMs with an online agent
// are preferred.

import type pg from 'pg';
import { processInHalves } from '../../postgres/isolate.js';
import type { ConnectionSource } from './connection-source.js';
import { countByStatus, type StatusCounts } from './counts.js';
import { runReadQuery, runWriteTransaction, type Actor } from './transaction.js';
import { parseFoundVm, FOUND_VM_COLUMNS, type FoundRow, type FoundVm } from './vms.js';

/** A request to assign a VM to a person. */
export interface AssignRequest {
  readonly email: string;
  /**
   * If undefined, a newly assigned VM has no command, and the person's current VM keeps its
   * command.
   */
  readonly crdCommand: string | undefined;
}

/** The result of a request: a new VM, the VM that the person already has, or no free VM. */
export type AssignResult =
  | {
      readonly outcome: 'assigned' | 'kept';
      readonly vm: FoundVm;
      /** Whether the agent of the VM is online. */
      readonly online: boolean;
    }
  /** No VM is free; `counts` has the number of VMs of each status. */
  | { readonly outcome: 'none-free'; readonly counts: StatusCounts };

/**
 * Assigns a VM to a person. A person who has a VM in use keeps it. Otherwise the free VM is
 * assigned that has been available for longest; VMs with an online agent come first. The result is
 * correct because each statement of the transaction sees what was committed before it began.
 */
export async function assignVm(
  pool: ConnectionSource,
  actor: Actor,
  request: AssignRequest,
): Promise<AssignResult> {
  try {
    return await assign(pool, actor, request, []);
  } catch (error) {
    if (!isEncodingError(error)) throw error;
  }
  return assign(pool, actor, request, await findUnreadableVms(pool));
}

/**
 * character_not_in_repertoire and untranslatable_character: a row that has such a value would
 * otherwise be chosen again and again.
 */
const isEncodingError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(22021|22P05)$/.test(String(error.code));

/** Returns the ids of the VMs whose rows no client can be sent. */
async function findUnreadableVms(pool: ConnectionSource): Promise<number[]> {
  const free = `SELECT id FROM public.vms WHERE status = 'available'`;
  const rows = await runReadQuery<{ id: number }>(pool, free, []);
  const unreadable: number[] = [];
  await processInHalves(
    rows.map(({ id }) => id),
    (ids) =>
      runReadQuery(pool, 'SELECT public.vm_text(vms) FROM public.vms WHERE id = ANY ($1)', [ids]),
    (id) => unreadable.push(id),
  );
  return unreadable;
}

/** @param except the ids of VMs that are not assigned */
function assign(
  pool: ConnectionSource,
  actor: Actor,
  request: AssignRequest,
  except: readonly number[],
): Promise<AssignResult> {
  return runWriteTransaction(pool, actor, async (client) => {
    // The lock has its own statement, because the statement that searches must begin after the lock
    // is held. In a single statement, twenty concurrent requests of one person were assigned two
    // VMs.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [
      request.email,
      LOCK_SEED,
    ]);
    const kept = await keepCurrent(client, request);
    if (kept !== undefined) return { outcome: 'kept', ...kept };
    for (const [agentFilter, lockWaitPolicy] of ATTEMPTS) {
      const taken = await takeAvailable(client, request, except, agentFilter, lockWaitPolicy);
      if (taken !== undefined) return { outcome: 'assigned', ...taken };
    }
    return { outcome: 'none-free', counts: await countByStatus(client) };
  });
}

/** An assigned VM, and whether its agent is online. */
interface AssignedVm {
  readonly vm: FoundVm;
  readonly online: boolean;
}

type AssignedVmRow = FoundRow & { readonly online: boolean };

/**
 * Whether the agent of a VM is online at the time of the statement. The time of the transaction
 * would be too early if it has waited for a lock.
 */
const ONLINE = `EXISTS (
  SELECT FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway
  WHERE p.hostname = vms.hostname AND p.online AND g.lease_until > statement_timestamp())`;

/**
 * Whether a VM that enrolled has shown itself: its agent has been online. A holder of an enrolment
 * token could otherwise invent VMs that people are given.
 */
const SEEN = `NOT EXISTS (
  SELECT FROM public.vm_enrolments e WHERE e.hostname = vms.hostname AND e.online_at IS NULL)`;

const ASSIGNED_VM_COLUMNS = `${FOUND_VM_COLUMNS}, ${ONLINE} AS online`;

/**
 * The searches, in order: the filter for agents and the lock wait policy of each. SKIP LOCKED lets
 * requests take VMs concurrently, but misses a row whose holder rolls back. The last search
 * therefore waits for each holder, and finds nothing only if no VM is free. No request waits for a
 * VM with an online agent while another VM is free.
 */
const ATTEMPTS = [
  [`AND ${ONLINE}`, 'SKIP LOCKED'],
  ['', 'SKIP LOCKED'],
  ['', ''],
] as const;
type AgentFilter = (typeof ATTEMPTS)[number][0];
type LockWaitPolicy = (typeof ATTEMPTS)[number][1];

/**
 * Whether the triggers of `vms` fire for a row: it is in the table itself or in a partition. The
 * row of a table that only inherits from `vms` changes without a notification, so no person is
 * assigned it.
 */
const NOTIFIED = `(vms.tableoid = 'public.vms'::regclass
  OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = vms.tableoid AND c.relispartition))`;

/** The seed of the hash, so that these locks differ from the advisory locks of other programs. */
const LOCK_SEED = 0x6c_61_62_6c;

/**
 * Returns the VM that the person has in use, and sets its command if the request has one. A failed
 * VM does not count.
 */
async function keepCurrent(
  client: pg.ClientBase,
  request: AssignRequest,
): Promise<AssignedVm | undefined> {
  const { rows } = await client.query<AssignedVmRow & { id: number; tableoid: number }>(
    `SELECT id, tableoid, ${ASSIGNED_VM_COLUMNS} FROM public.vms
     WHERE email = $1 AND status = 'in-use' AND ${NOTIFIED}
     ORDER BY updated_at, id LIMIT 1 FOR UPDATE`,
    [request.email],
  );
  const [current] = rows;
  if (current === undefined || request.crdCommand === undefined)
    return current && parseAssignedVm(current);
  return parseFirstAssignedVm(
    await client.query<AssignedVmRow>(
      `UPDATE public.vms SET crd_command = $3 WHERE id = $1 AND tableoid = $2
       RETURNING ${ASSIGNED_VM_COLUMNS}`,
      [current.id, current.tableoid, request.crdCommand],
    ),
  );
}

/** Assigns the first available VM that the filter accepts. */
async function takeAvailable(
  client: pg.ClientBase,
  { email, crdCommand }: AssignRequest,
  except: readonly number[],
  agentFilter: AgentFilter,
  lockWaitPolicy: LockWaitPolicy,
): Promise<AssignedVm | undefined> {
  return parseFirstAssignedVm(
    await client.query<AssignedVmRow>(
      `UPDATE public.vms SET status = 'in-use', email = $1, crd_command = $2
       WHERE (id, tableoid) = (
         SELECT id, tableoid FROM public.vms
         WHERE status = 'available' AND id <> ALL ($3) AND ${NOTIFIED} AND ${SEEN} ${agentFilter}
         ORDER BY updated_at NULLS FIRST, id LIMIT 1 FOR UPDATE ${lockWaitPolicy}
       ) RETURNING ${ASSIGNED_VM_COLUMNS}`,
      [email, crdCommand, except],
    ),
  );
}

/**
 * Ends exactly this assignment: the VM becomes available, or stays `failed` without a person.
 * @returns undefined if no VM has this assignment
 */
export function releaseAssignment(
  pool: ConnectionSource,
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
