// Protects the tables of others. Foreign keys, triggers and rules can make a change of vms delete
// or change rows elsewhere. The server counts what a transaction did to each table, so the work is
// done first, and its transaction is rolled back if it changed a table that is not ours.

import type pg from 'pg';
import { MaintenanceError } from './maintenance-error.js';
import { takeOnlyRow } from './session.js';

/** The tables that the migrations create. */
export const OUR_TABLES: readonly string[] = [
  ...['vms', 'vm_events', 'vm_deliveries', 'vm_enrolments', 'vm_keys', 'vm_token_revocations'],
  ...['vm_sign_in_codes'],
  ...['vm_presence', 'gateways', 'lablink_migrations'],
];

/**
 * What this transaction did to tables that are neither ours nor temporary. A foreign server's rows
 * are not counted, and TRUNCATE and DROP count no row: there the lock that the transaction holds
 * proves the change.
 */
const EFFECTS = `
  SELECT format('%I.%I', nspname, c.relname) AS table, coalesce(n_tup_ins, 0)::float8 AS added,
    coalesce(n_tup_upd, 0)::float8 AS changed, coalesce(n_tup_del, 0)::float8 AS deleted, locked
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    LEFT JOIN pg_catalog.pg_stat_xact_user_tables s ON s.relid = c.oid
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l
      WHERE l.relation = c.oid AND l.pid = pg_backend_pid() AND granted
        AND (mode = 'AccessExclusiveLock' OR mode = 'RowExclusiveLock' AND relkind = 'f')
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      ) AS locked) AS l
  WHERE relkind IN ('r', 'p', 'f', 'm') AND nspname !~ '^(pg_|information_schema$)'
    AND NOT (nspname = 'public' AND c.relname = ANY ($1))
    AND c.oid NOT IN (SELECT relid FROM pg_partition_tree(to_regclass('public.vms')))
    AND (n_tup_ins + n_tup_upd + n_tup_del > 0 OR locked)
  ORDER BY 1`;

interface Effect {
  readonly table: string;
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  readonly locked: boolean;
}

/**
 * Refuses to go on if this transaction changed a table of others. Deferred constraints and triggers
 * run here instead of at COMMIT, so that their work counts too.
 *
 * @throws MaintenanceError `refused` with the number of rows of each table; the caller rolls back.
 */
export async function refuseOtherTables(session: pg.Client): Promise<void> {
  await session.query('SET CONSTRAINTS ALL IMMEDIATE');
  const { counts } = takeOnlyRow(
    await session.query<{ counts: boolean }>(
      `SELECT current_setting('track_counts')::boolean AS counts`,
    ),
  );
  if (!counts) {
    throw new MaintenanceError(
      'refused',
      'Nothing was changed: the setting track_counts is off, so the effects on other tables cannot be seen. Run ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf().',
    );
  }
  const { rows } = await session.query<Effect>(EFFECTS, [OUR_TABLES]);
  if (rows.length === 0) return;
  throw new MaintenanceError(
    'refused',
    `Nothing was changed: a foreign key, trigger or rule on vms would ${rows.map(describeEffect).join(', and ')}. Change the foreign key (ON DELETE NO ACTION), or disable the trigger or rule, and try again.`,
  );
}

function describeEffect({ table, added, changed, deleted, locked }: Effect): string {
  const parts = [
    ...(deleted > 0 ? [`delete ${countRows(deleted)} of ${table}`] : []),
    ...(changed > 0 ? [`change ${countRows(changed)} of ${table}`] : []),
    ...(added > 0 ? [`add ${countRows(added)} to ${table}`] : []),
  ];
  if (parts.length === 0 && locked) return `truncate, alter or write ${table}`;
  return parts.join(', ');
}

const countRows = (count: number): string => (count === 1 ? '1 row' : `${count} rows`);
