// Reads and writes the leases of gateways and the presence of their agents: see the schema. All
// times are of the database's clock.

import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import { isElementError, processInHalves } from '../../postgres/isolate.js';
import { runReadQuery, runStatement } from './transaction.js';

/**
 * All gateways with a valid lease. `nextExpiryMs` is the time until the first lease of another
 * gateway ends, in ms; undefined without other gateways.
 */
export interface GatewayLeases {
  readonly gateways: readonly string[];
  readonly nextExpiryMs: number | undefined;
}

interface GatewayLeasesRow {
  gateways: string[];
  next_expiry_ms: number | null;
}

/**
 * The valid leases. The own lease is added, because its row is not visible within the same
 * statement.
 */
const GATEWAY_LEASES = `
  SELECT array_agg(instance) || $1::text AS gateways,
    extract(epoch FROM min(lease_until) - statement_timestamp())::float8 * 1000 AS next_expiry_ms
  FROM public.gateways WHERE lease_until > statement_timestamp() AND instance <> $1`;

const LEASE = `statement_timestamp() + $2 * interval '1 millisecond'`;

/** Acquires a lease under a new name. */
export async function acquireLease(
  pool: pg.Pool,
  instance: string,
  leaseMs: number,
): Promise<GatewayLeases> {
  const rows = await runStatement<GatewayLeasesRow>(
    pool,
    `WITH entered AS (
       INSERT INTO public.gateways (instance, ready_since, renewed_at, lease_until, complete_until)
       VALUES ($1, statement_timestamp(), statement_timestamp(), ${LEASE}, statement_timestamp())
     ) ${GATEWAY_LEASES}`,
    [instance, leaseMs],
  );
  return parseGatewayLeases(rows);
}

/**
 * Renews a lease that is still valid.
 * @param complete whether everything that the gateway saw before its last renewal is written: the
 * watermark then becomes the old `renewed_at`
 * @returns undefined if the lease has ended
 */
export async function renewLease(
  pool: pg.Pool,
  instance: string,
  leaseMs: number,
  complete: boolean,
): Promise<GatewayLeases | undefined> {
  const rows = await runStatement<GatewayLeasesRow & { renewed: boolean }>(
    pool,
    `WITH renewed AS (
       UPDATE public.gateways SET renewed_at = statement_timestamp(), lease_until = ${LEASE},
         complete_until = CASE WHEN $3 THEN renewed_at ELSE complete_until END
       WHERE instance = $1 AND lease_until > statement_timestamp() RETURNING 1
     ) SELECT *, EXISTS (SELECT FROM renewed) AS renewed FROM (${GATEWAY_LEASES}) AS standing`,
    [instance, leaseMs, complete],
  );
  return rows[0]?.renewed === true ? parseGatewayLeases(rows) : undefined;
}

function parseGatewayLeases([row]: readonly GatewayLeasesRow[]): GatewayLeases {
  if (row === undefined) throw new Error('the gateways gave no row');
  return { gateways: row.gateways, nextExpiryMs: row.next_expiry_ms ?? undefined };
}

/** Releases the lease, so that the agents of the gateway count as offline. */
export async function releaseLease(pool: pg.Pool, instance: string): Promise<void> {
  await runStatement(
    pool,
    `UPDATE public.gateways SET lease_until = statement_timestamp()
     WHERE instance = $1 AND lease_until > statement_timestamp()`,
    [instance],
  );
}

/** A batch of changes of a gateway's agents. `agoMs` is the age of each change in ms. */
export interface PresenceWrite {
  readonly agents: readonly {
    readonly hostname: string;
    readonly online: boolean;
    readonly agoMs: number;
  }[];
  readonly pushes: readonly { readonly assignmentId: string; readonly agoMs: number }[];
  /** Notifications for the channel `vm_presence`. */
  readonly payloads: readonly string[];
}

/**
 * A single statement for thousands of agents. It writes nothing if the lease has ended, because
 * other gateways already count these agents as offline. An assignment keeps the time of its first
 * push. A VM that enrolled may be handed out from now on.
 */
const WRITE = `
  WITH live AS (
    SELECT instance FROM public.gateways WHERE instance = $1 AND lease_until > statement_timestamp()
  ), agents AS (
    INSERT INTO public.vm_presence (hostname, gateway, online, since)
    SELECT hostname, instance, online, statement_timestamp() - ago * interval '1 millisecond'
    FROM live, unnest($2::text[], $3::boolean[], $4::float8[]) AS agent (hostname, online, ago)
    ON CONFLICT (hostname, gateway) DO UPDATE SET online = excluded.online, since = excluded.since
  ), seen AS (
    UPDATE public.vm_enrolments e SET online_at = statement_timestamp()
    FROM live, unnest($2::text[], $3::boolean[]) AS agent (hostname, online)
    WHERE e.hostname = agent.hostname AND agent.online AND e.online_at IS NULL
  ), pushes AS (
    UPDATE public.vm_deliveries d SET pushed_at = statement_timestamp() - ago * interval '1 millisecond'
    FROM live, unnest($5::uuid[], $6::float8[]) AS push (assignment_id, ago)
    WHERE d.assignment_id = push.assignment_id AND d.pushed_at IS NULL
  )
  SELECT EXISTS (SELECT FROM live) AS live,
    (SELECT count(pg_notify('vm_presence', payload)) FROM live, unnest($7::text[]) AS payload)`;

/**
 * Writes a batch of changes.
 * @returns false if the lease has ended, and nothing was written
 */
export async function writePresence(
  pool: pg.Pool,
  instance: string,
  { agents, pushes, payloads }: PresenceWrite,
): Promise<boolean> {
  // All gateways use the same order, so that two of them never deadlock.
  const ordered = pushes.toSorted((a, b) => (a.assignmentId < b.assignmentId ? -1 : 1));
  const rows = await runStatement<{ live: boolean }>(pool, WRITE, [
    instance,
    agents.map(({ hostname }) => hostname),
    agents.map(({ online }) => online),
    agents.map(({ agoMs }) => agoMs),
    ordered.map(({ assignmentId }) => assignmentId),
    ordered.map(({ agoMs }) => agoMs),
    payloads,
  ]);
  return rows[0]?.live === true;
}

/** The presence of a hostname's agent. */
export interface ReadPresence {
  readonly hostname: string;
  readonly online: boolean;
  /** The presence as JSON text. */
  readonly presence: string;
}

/**
 * Reads the presence of these hostnames, or of all if undefined. Hostnames without a presence are
 * omitted.
 */
export async function readPresence(
  pool: ConnectionSource,
  hostnames: readonly string[] | undefined,
): Promise<ReadPresence[]> {
  try {
    return await readWhere(pool, '$1', hostnames);
  } catch (error) {
    if (!isElementError(error)) throw error;
    return readOneByOne(pool, hostnames);
  }
}

interface PresenceRow {
  readonly hostname: string;
  readonly online: boolean;
  readonly entry: string;
}

/** @param wanted an expression for the hostnames, with `value` as its parameter */
async function readWhere(
  pool: ConnectionSource,
  wanted: string,
  value: unknown,
): Promise<ReadPresence[]> {
  const sql = `SELECT * FROM public.read_vm_presence(${wanted})`;
  const rows = await runStatement<PresenceRow>(pool, sql, [value]);
  return rows.map(({ hostname, online, entry }) => ({ hostname, online, presence: entry }));
}

/** The hostnames of rows, which may not be texts that a client can send back. */
const OF_ROWS = 'ARRAY(SELECT hostname::text FROM public.vms WHERE id = ANY ($1::int8[]))';
/** Agents that are online without a row; `$1` is a time that every lease is later than. */
const WITHOUT_ROW = `ARRAY(SELECT hostname FROM public.vm_presence p WHERE online
  AND since > $1::timestamptz AND NOT EXISTS (SELECT FROM public.vms v WHERE v.hostname = p.hostname))`;

/**
 * Reads all presence that can be read, and leaves out hostnames that cannot be converted to the
 * client's encoding: the fleet has no such hostname.
 */
async function readOneByOne(
  pool: ConnectionSource,
  hostnames: readonly string[] | undefined,
): Promise<ReadPresence[]> {
  const leaveOut = (): void => undefined;
  if (hostnames !== undefined) {
    const readSome = (some: readonly string[]) => readWhere(pool, '$1', some);
    return (await processInHalves(hostnames, readSome, leaveOut)).flat();
  }
  const ids = await runReadQuery<{ id: string }>(pool, 'SELECT id FROM public.vms', []);
  const readRows = (some: readonly { id: string }[]) =>
    readWhere(
      pool,
      OF_ROWS,
      some.map(({ id }) => id),
    );
  const rows = (await processInHalves(ids, readRows, leaveOut)).flat();
  const readOthers = () => readWhere(pool, WITHOUT_ROW, '-infinity');
  return [...rows, ...(await processInHalves(['others'], readOthers, leaveOut)).flat()];
}
