// The leases of gateways, and which agents they have: see the schema. All by the clock of the database.

import type pg from 'pg';

/** All gateways whose lease lasts, and when the first of the others ends. */
export interface GatewayLeases {
  readonly gateways: readonly string[];
  readonly nextExpiryMs: number | undefined;
}

interface GatewayLeasesRow {
  gateways: string[];
  next_expiry_ms: number | null;
}

/** Of a gateway that has just been given a lease, which the rest of its statement does not see yet. */
const GATEWAY_LEASES = `
  SELECT array_agg(instance) || $1::text AS gateways,
    extract(epoch FROM min(lease_until) - statement_timestamp())::float8 * 1000 AS next_expiry_ms
  FROM public.gateways WHERE lease_until > statement_timestamp() AND instance <> $1`;

const LEASE = `statement_timestamp() + $2 * interval '1 millisecond'`;

/** Takes a lease under a name that nobody has had. */
export async function acquireLease(
  pool: pg.Pool,
  instance: string,
  leaseMs: number,
): Promise<GatewayLeases> {
  const { rows } = await pool.query<GatewayLeasesRow>(
    `WITH entered AS (
       INSERT INTO public.gateways (instance, ready_since, renewed_at, lease_until, complete_until)
       VALUES ($1, statement_timestamp(), statement_timestamp(), ${LEASE}, statement_timestamp())
     ) ${GATEWAY_LEASES}`,
    [instance, leaseMs],
  );
  return parseGatewayLeases(rows);
}

/**
 * Renews a lease that has not ended; undefined when it has. Where it is `complete`, everything that the gateway saw
 * before its last renewal is in the table: the old `renewed_at` is read before the new one is set.
 */
export async function renewLease(
  pool: pg.Pool,
  instance: string,
  leaseMs: number,
  complete: boolean,
): Promise<GatewayLeases | undefined> {
  const { rows } = await pool.query<GatewayLeasesRow & { renewed: boolean }>(
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

/** Gives the lease up: the gateway's agents are away. */
export async function releaseLease(pool: pg.Pool, instance: string): Promise<void> {
  await pool.query(
    `UPDATE public.gateways SET lease_until = statement_timestamp()
     WHERE instance = $1 AND lease_until > statement_timestamp()`,
    [instance],
  );
}

/** What a gateway writes at once; `agoMs` is how long ago it happened. */
export interface PresenceWrite {
  readonly agents: readonly {
    readonly hostname: string;
    readonly online: boolean;
    readonly agoMs: number;
  }[];
  readonly pushes: readonly { readonly assignmentId: string; readonly agoMs: number }[];
  /** On the channel `vm_presence`. */
  readonly payloads: readonly string[];
}

/**
 * One statement for thousands of agents. Writes nothing, and says so, when the lease has ended: what comes late cannot
 * speak for a gateway that others have given up. An assignment keeps the time it was first pushed at.
 */
const WRITE = `
  WITH live AS (
    SELECT instance FROM public.gateways WHERE instance = $1 AND lease_until > statement_timestamp()
  ), agents AS (
    INSERT INTO public.vm_presence (hostname, gateway, online, since)
    SELECT hostname, instance, online, statement_timestamp() - ago * interval '1 millisecond'
    FROM live, unnest($2::text[], $3::boolean[], $4::float8[]) AS agent (hostname, online, ago)
    ON CONFLICT (hostname, gateway) DO UPDATE SET online = excluded.online, since = excluded.since
  ), pushes AS (
    UPDATE public.vm_deliveries d SET pushed_at = statement_timestamp() - ago * interval '1 millisecond'
    FROM live, unnest($5::uuid[], $6::float8[]) AS push (assignment_id, ago)
    WHERE d.assignment_id = push.assignment_id AND d.pushed_at IS NULL
  )
  SELECT EXISTS (SELECT FROM live) AS live,
    (SELECT count(pg_notify('vm_presence', payload)) FROM live, unnest($7::text[]) AS payload)`;

/** @returns false when the lease has ended. */
export async function writePresence(
  pool: pg.Pool,
  instance: string,
  { agents, pushes, payloads }: PresenceWrite,
): Promise<boolean> {
  // In one order for all gateways, so that two of them never wait for each other.
  const ordered = pushes.toSorted((a, b) => (a.assignmentId < b.assignmentId ? -1 : 1));
  const { rows } = await pool.query<{ live: boolean }>(WRITE, [
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

/** What is known of a hostname's agent. */
export interface ReadPresence {
  readonly hostname: string;
  readonly online: boolean;
  /** JSON text. */
  readonly presence: string;
}

/** Of these hostnames, or of all; of whom nothing is known is left out. */
export async function readPresence(
  pool: pg.Pool,
  hostnames: readonly string[] | undefined,
): Promise<ReadPresence[]> {
  const { rows } = await pool.query<{ hostname: string; online: boolean; entry: string }>(
    'SELECT * FROM public.read_vm_presence($1)',
    [hostnames],
  );
  return rows.map(({ hostname, online, entry }) => ({ hostname, online, presence: entry }));
}

/** For how long is kept what tells nothing new. */
const KEPT = "'90 days'";

/** Removes what is old, in a small step. */
export async function prunePresence(pool: pg.Pool): Promise<void> {
  await pool.query(`SELECT public.prune_vm_presence(${KEPT}), public.prune_vm_deliveries(${KEPT})`);
}
