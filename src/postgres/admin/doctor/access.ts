// Checks which roles may connect, and whether the connection is encrypted.

import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

const ACCESS = `
  SELECT current_database() AS database,
    EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))
      WHERE grantee = 0 AND privilege_type = 'CONNECT') AS public,
    coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls
  FROM pg_catalog.pg_database WHERE datname = current_database()`;

/** Checks CONNECT for PUBLIC, and TLS for a remote server. */
export async function checkAccess({
  session,
  connection,
  isRemote,
}: CheckContext): Promise<Finding[]> {
  const access = takeOnlyRow(
    await session.query<{ database: string; public: boolean; tls: boolean }>(ACCESS),
  );
  const { ssl } = connection;
  const unchecked = typeof ssl === 'object' && ssl.rejectUnauthorized === false;
  return [
    ...(access.public ? [createPublicFinding(access.database)] : []),
    ...(isRemote && !access.tls ? [noTls] : []),
    ...(isRemote && access.tls && unchecked ? [tlsUnchecked] : []),
  ];
}

const createPublicFinding = (database: string): Finding => ({
  id: 'connect_public',
  severity: 'error',
  explanation: `Every role of the server may connect to ${database}. A role that may connect may LISTEN and NOTIFY: it can read every command, and forge rows.`,
  remedy: `REVOKE CONNECT ON DATABASE "${database}" FROM PUBLIC, then GRANT CONNECT to the roles that need it.`,
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
