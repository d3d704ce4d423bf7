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
 */
export type EnrolResult = 'enrolled' | 'already-enrolled' | 'agent-online';

/**
 * Enrols the hostname, and registers its VM. The same nonce enrols again, for a client that lost
 * the first response.
 */
export function enrol(
  pool: ConnectionSource,
  actor: Actor,
  hostname: string,
  nonce: string | undefined,
): Promise<EnrolResult> {
  const hash = nonce === undefined ? null : createHash('sha256').update(nonce).digest();
  return runWriteTransaction(pool, actor, async (client) => {
    const known = await compareNonce(client, hostname, hash);
    if (known !== undefined) return known ? 'enrolled' : 'already-enrolled';
    if (await isAgentOnline(client, hostname)) return 'agent-online';
    const { rowCount } = await client.query(
      `INSERT INTO public.vm_enrolments (hostname, nonce_sha256, actor) VALUES ($1, $2, $3)
       ON CONFLICT (hostname) DO NOTHING`,
      [hostname, hash, actor.name],
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

/** Whether the hostname has enrolled with this nonce; undefined if it has not enrolled. */
async function compareNonce(
  client: pg.ClientBase,
  hostname: string,
  hash: Buffer | null,
): Promise<boolean | undefined> {
  const { rows } = await client.query<{ same: boolean }>(
    `SELECT coalesce(nonce_sha256 = $2::bytea, false) AS same
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
