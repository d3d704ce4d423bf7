// A database with VMs in it, and what a subcommand of `db` printed of them.

import type { TestDatabase, TestServer } from '../../helpers/database.js';
import type { Ended } from '../../helpers/db-command.js';

/** The output for programs. */
export const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);

/** A database with a VM of each status, one of them named to harm a terminal. */
export async function filled(createDatabase: TestServer['createDatabase']): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query(
    `INSERT INTO vms (hostname, status, email, crd_command, created_at) VALUES
       ('young', 'available', NULL, NULL, '2026-01-02'), ('old', 'available', NULL, NULL, '2026-01-01'),
       ('used', 'in-use', 'ada@example.org', 'planted', '2026-01-01'),
       (E'evil\\x1b[2J\\u009b', 'failed', E'x\\ny', 'planted', '2026-01-01')`,
  );
  return database;
}
