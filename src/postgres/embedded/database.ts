// The gateway's database in the cluster, and the role that owns it, which is not a superuser.

import type pg from 'pg';
import { withClient } from '../client.js';

/** The role that created the cluster: for maintenance and tests, through the private socket. */
export const SUPERUSER = 'postgres';
export const OWNER = 'lablink';
export const DATABASE = 'lablink_db';

/**
 * Creates the owner's role and the database unless they exist, and sets the role's password for
 * TCP. The superuser has no password, so only the private socket accepts the superuser.
 *
 * @param superuser how to connect to the database `postgres`
 * @param password undefined if the server does not listen on TCP
 * @throws an error of pg or of the network if the server does not answer.
 */
export async function ensureDatabase(
  superuser: pg.ClientConfig,
  password: string | undefined,
): Promise<void> {
  await withClient({ ...superuser, connectionTimeoutMillis: 2_000 }, async (client) => {
    const role = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [OWNER]);
    if (role.rowCount === 0) await client.query(`CREATE ROLE ${OWNER} LOGIN`);
    // `db backup --verify` restores into a database of its own.
    await client.query(`ALTER ROLE ${OWNER} CREATEDB`);
    const database = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (database.rowCount === 0) {
      await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER} TEMPLATE template0`);
    }
    // A role that may connect may also LISTEN and NOTIFY on every channel.
    await client.query(`REVOKE CONNECT ON DATABASE ${DATABASE} FROM PUBLIC`);
    if (password !== undefined) {
      await client.query(`ALTER ROLE ${OWNER} PASSWORD ${client.escapeLiteral(password)}`);
    }
  });
}
