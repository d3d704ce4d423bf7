// Checks that a role of gateways of its own has the rights of deploy/postgres/grants.sql: after an
// upgrade that adds a table, the gateways would not become ready.

import type pg from 'pg';
import type { Finding } from './finding.js';

/** The role of the shipped set-up. Another role's rights are its operator's. */
const ROLE = 'lablink_gateway';

const CHANGE = 'SELECT, INSERT, UPDATE, DELETE';

/** The rights by kind and object, as in grants.sql; a test compares both. */
export const GRANTS: readonly (readonly [
  kind: keyof typeof HAS,
  object: string,
  rights: string,
])[] = [
  ['schema', 'public', 'USAGE'],
  ['table', 'vms', CHANGE],
  ['table', 'vm_deliveries', CHANGE],
  ['table', 'vm_presence', CHANGE],
  ['table', 'gateways', CHANGE],
  ['function', 'prune_vm_presence(interval, integer)', 'EXECUTE'],
  ['function', 'prune_vm_deliveries(interval, integer)', 'EXECUTE'],
  ['table', 'vm_enrolments', CHANGE],
  ['table', 'vm_token_revocations', CHANGE],
  ['table', 'vm_sign_in_codes', 'SELECT, INSERT, DELETE'],
  ['table', 'vm_events', 'SELECT'],
  ['sequence', 'vms_id_seq', 'USAGE'],
  ['sequence', 'vms_version_seq', 'SELECT'],
  ['table', 'lablink_migrations', 'SELECT'],
];

/** Conditions that hold if the role has the right `$3` on the object `$2`. */
const HAS = {
  schema: `has_schema_privilege($1, $2, $3)`,
  table: `to_regclass('public.' || $2) IS NULL OR has_table_privilege($1, 'public.' || $2, $3)`,
  sequence: `to_regclass('public.' || $2) IS NULL OR has_sequence_privilege($1, 'public.' || $2, $3)`,
  function: `to_regprocedure('public.' || $2) IS NULL OR has_function_privilege($1, 'public.' || $2, $3)`,
} as const;

const HAS_KEY = `SELECT to_regclass('public.vm_keys') IS NULL OR has_column_privilege($1, 'public.vm_keys', 'key', 'SELECT') AS has`;

/** Finds the rights that the role lacks. */
export async function checkGrants(session: pg.Client): Promise<Finding[]> {
  const { rowCount } = await session.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [
    ROLE,
  ]);
  if (rowCount === 0) return [];
  const missing: string[] = [];
  for (const [kind, object, rights] of GRANTS) {
    const lacked: string[] = [];
    for (const right of rights.split(', ')) {
      const { rows } = await session.query<{ has: boolean }>(`SELECT ${HAS[kind]} AS has`, [
        ROLE,
        object,
        right,
      ]);
      if (rows[0]?.has === false) lacked.push(right);
    }
    if (lacked.length > 0) missing.push(formatGrant(kind, object, lacked));
  }
  const { rows } = await session.query<{ has: boolean }>(HAS_KEY, [ROLE]);
  if (rows[0]?.has === false) missing.push(`GRANT SELECT (key) ON public.vm_keys TO ${ROLE}`);
  return missing.length === 0 ? [] : [createFinding(missing)];
}

function formatGrant(kind: keyof typeof HAS, object: string, rights: readonly string[]): string {
  const name = kind === 'schema' ? object : `public.${object}`;
  const what = kind === 'table' ? name : `${kind.toUpperCase()} ${name}`;
  return `GRANT ${rights.join(', ')} ON ${what} TO ${ROLE}`;
}

const createFinding = (statements: readonly string[]): Finding => ({
  id: 'grants_missing',
  severity: 'error',
  explanation: `The role ${ROLE} lacks ${statements.length} rights that its gateways need, as after an upgrade.`,
  remedy:
    'As the owner, run "lablink-gateway db repair", or deploy/postgres/grants.sql again, as after each migration.',
  statements,
});
