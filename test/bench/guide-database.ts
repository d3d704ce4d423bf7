// The database of the contenders that are not the gateway: the guide's own table and one-line
// trigger, so that the comparison hides nothing of what the product's triggers cost.

import pg from 'pg';
import { SUPERUSER } from '../../src/postgres/embedded/database.js';
import { createGuideDatabase } from '../schema/guide.js';
import type { Measured } from './servers.js';

const NAME = 'guide';

/**
 * Creates it on the server of `connection`. The table has a column more than the guide's: the
 * harness needs versions to notice what is lost or out of order. Writers set it themselves, as no
 * trigger does.
 */
export async function openGuideDatabase(connection: pg.ClientConfig): Promise<Measured> {
  const admin = new pg.Client({ ...connection, user: SUPERUSER, database: 'postgres' });
  await admin.connect();
  try {
    await admin.query(`CREATE DATABASE ${NAME} OWNER ${connection.user}`);
  } finally {
    await admin.end();
  }
  const database = { ...connection, database: NAME };
  const client = new pg.Client(database);
  client.on('error', () => undefined); // Its query fails too.
  await client.connect();
  await createGuideDatabase({
    query: async (sql) => (await client.query(sql)).rows as never[],
    value: () => Promise.resolve(null),
  });
  await client.query('CREATE SEQUENCE vms_version_seq');
  await client.query(
    `ALTER TABLE vms ADD COLUMN version BIGINT NOT NULL DEFAULT nextval('vms_version_seq')`,
  );
  return { client, database, hasTriggers: false };
}
