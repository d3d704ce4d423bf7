// Checks which roles may connect, and whether the connection is encrypted.

import pg from 'pg';
import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

/** The rights of PUBLIC on the database, and whether it may create objects in the schema. */
const ACCESS = `
  SELECT current_database() AS database,
    ARRAY(SELECT privilege_type::text FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))
      WHERE grantee = 0 ORDER BY 1) AS rights,
    EXISTS (SELECT FROM pg_catalog.pg_namespace, aclexplode(nspacl)
      WHERE nspname = 'public' AND grantee = 0 AND privilege_type = 'CREATE') AS creates,
    ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles r WHERE rolcanlogin AND NOT rolsuper
      AND (EXISTS (SELECT FROM pg_catalog.pg_class c, aclexplode(relacl) g
          WHERE relnamespace = 'public'::regnamespace AND g.grantee = r.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
          WHERE a.usesysid = r.oid AND a.datname = current_database()))
      ORDER BY 1) AS users,
    ARRAY(SELECT DISTINCT relowner::regrole::text FROM pg_catalog.pg_class
      WHERE relnamespace = 'public'::regnamespace ORDER BY 1) AS makers,
    coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls
  FROM pg_catalog.pg_database WHERE datname = current_database()`;

interface AccessRow {
  readonly database: string;
  readonly rights: readonly string[];
  readonly creates: boolean;
  /** Roles that have rights on tables, or are connected. */
  readonly users: readonly string[];
  /** Roles that own tables. Quoted. */
  readonly makers: readonly string[];
  readonly tls: boolean;
}

/** Checks the rights of PUBLIC, and TLS for a remote server. */
export async function checkAccess({
  session,
  connection,
  isRemote,
}: CheckContext): Promise<Finding[]> {
  const access = takeOnlyRow(await session.query<AccessRow>(ACCESS));
  const { ssl } = connection;
  const unchecked = typeof ssl === 'object' && ssl.rejectUnauthorized === false;
  return [
    ...(access.rights.includes('CONNECT') ? [createPublicFinding(access)] : []),
    ...(access.creates || access.rights.includes('CREATE') ? [createCreateFinding(access)] : []),
    ...(isRemote && !access.tls ? [noTls] : []),
    ...(isRemote && access.tls && unchecked ? [tlsUnchecked] : []),
  ];
}

const createPublicFinding = ({ database, rights, users }: AccessRow): Finding => ({
  id: 'connect_public',
  severity: 'error',
  explanation: `Every role of the server may connect to ${database}${rights.includes('TEMPORARY') ? ', and create temporary tables there' : ''}. A role that may connect may LISTEN and NOTIFY: it can read every command, and forge rows.`,
  remedy: `REVOKE CONNECT, TEMPORARY ON DATABASE "${database}" FROM PUBLIC, then GRANT CONNECT to the roles that need it.`,
  statements: [
    // The roles that work here go on doing so.
    ...users.map(
      (name) =>
        `GRANT ${rights.filter((right) => right !== 'CREATE').join(', ')} ON DATABASE ${pg.escapeIdentifier(database)} TO ${pg.escapeIdentifier(name)}`,
    ),
    `REVOKE CONNECT, TEMPORARY ON DATABASE ${pg.escapeIdentifier(database)} FROM PUBLIC`,
  ],
});

const createCreateFinding = ({ database, creates, makers, rights }: AccessRow): Finding => ({
  id: 'create_public',
  severity: 'warning',
  explanation: `Every role that may connect may create ${creates ? 'objects in the schema public' : 'schemas'}: others may run its functions by mistake, and it can take the names of later migrations.`,
  remedy: `REVOKE CREATE ON ${creates ? 'SCHEMA public' : `DATABASE "${database}"`} FROM PUBLIC.`,
  statements: [
    ...(creates ? makers.map((name) => `GRANT CREATE ON SCHEMA public TO ${name}`) : []),
    ...(creates ? ['REVOKE CREATE ON SCHEMA public FROM PUBLIC'] : []),
    ...(rights.includes('CREATE')
      ? [`REVOKE CREATE ON DATABASE ${pg.escapeIdentifier(database)} FROM PUBLIC`]
      : []),
  ],
});

const noTls: Finding = {
  id: 'no_tls',
  severity: 'error',
  explanation:
    'The connection leaves this machine without TLS: passwords, emails and commands can be read on the way.',
  remedy:
    'Set sslmode=verify-full in DATABASE_URL (with sslrootcert for an authority of your own), and hostssl in pg_hba.conf.',
};

const tlsUnchecked: Finding = {
  id: 'tls_unchecked',
  severity: 'warning',
  explanation:
    'The connection is encrypted, but the certificate of the server is not checked: an attacker in between can impersonate the server.',
  remedy:
    'Set sslmode=verify-full instead of no-verify, with sslrootcert for an authority of your own.',
};
