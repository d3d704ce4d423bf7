// The lock that shows whether a backup of this database runs. Each backup shares it until its
// transaction ends, and the server releases it when its process is killed. So the process that has
// it alone knows that scratch databases and unfinished files are left over from ended backups.

import type pg from 'pg';
import { takeOnlyRow } from './session.js';

/** The two keys of the advisory lock: "labl" and "back" in ASCII. */
const KEYS = { class: 0x6c61626c, object: 0x6261636b };
const ARGUMENTS = `${KEYS.class}, ${KEYS.object}`;

/** Shares the lock until the end of the transaction. */
export async function shareBackupLock(session: pg.Client): Promise<void> {
  await session.query(`SELECT pg_advisory_xact_lock_shared(${ARGUMENTS})`);
}

/** Takes the lock alone until the end of the transaction; false if a backup runs. */
export async function tryBackupLock(session: pg.Client): Promise<boolean> {
  const { locked } = takeOnlyRow(
    await session.query<{ locked: boolean }>(
      `SELECT pg_try_advisory_xact_lock(${ARGUMENTS}) AS locked`,
    ),
  );
  return locked;
}

/** A condition of SQL: a backup of the database with this oid runs. Every role may see locks. */
export const buildRunningCondition = (oid: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND database = ${oid}
     AND classid = ${KEYS.class} AND objid = ${KEYS.object} AND objsubid = 2)`;
