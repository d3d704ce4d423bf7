// What the gateway finds in the cluster: a database, and a role that owns it and is no superuser.

import pg from 'pg';

/** Who made the cluster; for maintenance and tests, through the private socket. */
export const SUPERUSER = 'postgres';
export const OWNER = 'lablink';
export const DATABASE = 'lablink_db';

/**
 * Makes the owner's role and the database if they are not there, and gives the role its password for
 * TCP. The superuser has none, so nobody is let in as him but through the socket.
 *
 * @param superuser connects to the database `postgres`
 */
export async function ensureDatabase(
  superuser: pg.ClientConfig,
  password: string | undefined,
): Promise<void> {
  const client = new pg.Client({ ...superuser, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined); // The query under way fails too.
  await client.connect();
  try {
    const role = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [OWNER]);
    if (role.rowCount === 0) await client.query(`CREATE ROLE ${OWNER} LOGIN`);
    // A backup is verified in a database of its own.
    await client.query(`ALTER ROLE ${OWNER} CREATEDB`);
    const database = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (database.rowCount === 0) {
      await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER} TEMPLATE template0`);
    }
    // Whoever may connect may also LISTEN and NOTIFY on every channel.
    await client.query(`REVOKE CONNECT ON DATABASE ${DATABASE} FROM PUBLIC`);
    if (password !== undefined) {
      await client.query(`ALTER ROLE ${OWNER} PASSWORD ${client.escapeLiteral(password)}`);
    }
  } finally {
    await client.end();
  }
}
