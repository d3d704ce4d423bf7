// Records enrolments. Each hostname may enrol once, until an admin allows another enrolment.

import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { ConnectionSource } from './connection-source.js';
import { registerHostname } from './changes.js';
import { runWriteTransaction, type Actor } from './transaction.js';

/**
 * The result of an enrolment.
 *
 * - `already-enrolled`: the hostname has enrolled with another nonce or without one.
 * - `agent-online`: an agent of this hostname is online, and has its token from elsewhere.
 * - `limit-reached`: the enrolment token has enrolled as many VMs as it may.
 */
export type EnrolResult = 'enrolled' | 'already-enrolled' | 'agent-online' | 'limit-reached';

/** A VM that asks to enrol, and the token that it asks with. */
export interface EnrolRequest {
  readonly hostname: string;
  readonly nonce: string | undefined;
  /** Names the token. */
  readonly tokenId: string;
  /** How many VMs may enrol with the token; undefined without a limit. */
  readonly max: number | undefined;
}

/**
 * Enrols the hostname, and registers its VM. The same nonce enrols again, for a client that lost
 * the first response.
 * @throws HostnameRejection if a new VM may not have the hostname
 */
export function enrol(
  pool: ConnectionSource,
  actor: Actor,
  { hostname, nonce, tokenId, max }: EnrolRequest,
): Promise<EnrolResult> {
  const hash = nonce === undefined ? null : createHash('sha256').update(nonce).digest();
  return runWriteTransaction(pool, actor, async (client) => {
    const known = await compareNonce(client, hostname, hash);
    if (known !== undefined) return known ? 'enrolled' : 'already-enrolled';
    if (await isAgentOnline(client, hostname)) return 'agent-online';
    if (max !== undefined && !(await hasRoom(client, tokenId, max))) return 'limit-reached';
    const { rowCount } = await client.query(
      `INSERT INTO public.vm_enrolments (hostname, nonce_sha256, actor, token_id)
       VALUES ($1, $2, $3, $4) ON CONFLICT (hostname) DO NOTHING`,
      [hostname, hash, actor.name, tokenId],
    );
    // Another transaction has enrolled the hostname, and this one has waited for it.
    if (rowCount === 0) {
      return (await compareNonce(client, hostname, hash)) === true
        ? 'enrolled'
        : 'already-enrolled';
    }
    await registerHostname(client, hostname);
    return 'enrolled';
  });
}

/** The seed of the hash, so that these locks differ from the advisory locks of other programs. */
const LOCK_SEED = 0x65_6e_72_6c;

/**
 * Whether another VM may enrol with the token. The lock has its own statement, so that the count
 * sees what the other transactions of the token have committed, on every gateway.
 */
async function hasRoom(client: pg.ClientBase, tokenId: string, max: number): Promise<boolean> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [
    tokenId,
    LOCK_SEED,
  ]);
  const { rows } = await client.query<{ count: string }>(
    'SELECT count(*) FROM public.vm_enrolments WHERE token_id = $1',
    [tokenId],
  );
  return Number(rows[0]?.count) < max;
}

/**
 * Whether the hostname has enrolled with this nonce; undefined if it has not enrolled. An enrolment
 * ends with the revocation of the hostname's tokens.
 */
async function compareNonce(
  client: pg.ClientBase,
  hostname: string,
  hash: Buffer | null,
): Promise<boolean | undefined> {
  const { rows } = await client.query<{ same: boolean }>(
    `SELECT coalesce(nonce_sha256 = $2::bytea, false) AND NOT EXISTS (
         SELECT FROM public.vm_token_revocations
         WHERE kind = 'sub' AND value = $1 AND issued_until >= enrolled_at AND expires_at > now()
       ) AS same
     FROM public.vm_enrolments WHERE hostname = $1 FOR UPDATE`,
    [hostname, hash],
  );
  return rows[0]?.same;
}

async function isAgentOnline(client: pg.ClientBase, hostname: string): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT FROM public.vm_presence p JOIN public.gateways g ON g.instance = p.gateway
     WHERE p.hostname = $1 AND p.online AND g.lease_until > statement_timestamp()`,
    [hostname],
  );
  return rows.length > 0;
}

/**
 * Allows the hostname to enrol again.
 * @returns whether it had enrolled
 */
export function allowEnrolment(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
): Promise<boolean> {
  return runWriteTransaction(pool, actor, async (client) => {
    const { rowCount } = await client.query(
      'DELETE FROM public.vm_enrolments WHERE hostname = $1',
      [hostname],
    );
    return rowCount === 1;
  });
}
