// Creates a database with VMs, and reads the output of a subcommand of `db`.

import type { TestDatabase, TestServer } from '../../helpers/database.js';
import type { Ended } from '../../helpers/db-command.js';

/** Parses the output for programs. */
export const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);

/** Creates a VM of each status; the name of one VM contains control characters. */
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
