// A temporary database on the same server, dropped after use.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { MaintenanceError } from './maintenance-error.js';
import { withSession } from './session.js';

/** insufficient_privilege. */
const RIGHTS = '42501';

/**
 * Runs `work` with a new, empty database of the same encoding, and always drops it afterwards.
 *
 * @throws MaintenanceError `rights` if the role may not create a database.
 */
export async function withScratchDatabase<T>(
  connection: pg.ClientConfig,
  work: (scratch: pg.ClientConfig) => Promise<T>,
): Promise<T> {
  const name = `lablink_scratch_${randomBytes(6).toString('hex')}`;
  return withSession(connection, 'scratch', async (session) => {
    const { rows } = await session.query<{ encoding: string }>(
      `SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_catalog.pg_database
       WHERE datname = current_database()`,
    );
    await createScratchDatabase(session, name, rows[0]?.encoding ?? 'UTF8');
    try {
      // The copy is as confidential as the original, so no other role may connect.
      await session.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
      return await work({ ...connection, database: name });
    } finally {
      await session.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    }
  });
}

async function createScratchDatabase(
  session: pg.Client,
  name: string,
  encoding: string,
): Promise<void> {
  try {
    await session.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}'`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== RIGHTS) throw error;
    throw new MaintenanceError(
      'rights',
      `${error.message}: a scratch database is needed; a superuser can allow it with "ALTER ROLE ${session.user ?? ''} CREATEDB"`,
      { cause: error },
    );
  }
}
