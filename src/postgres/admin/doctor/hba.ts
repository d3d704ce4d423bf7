// Checks pg_hba.conf as the server reads it: which clients may connect, and how they authenticate.

import type { Finding, FindingId, CheckContext } from './finding.js';

interface Rule {
  readonly line: number;
  readonly type: string | null;
  readonly address: string | null;
  readonly netmask: string | null;
  readonly method: string | null;
  readonly error: string | null;
}

/** A hostssl line without TLS on the server is listed as an error, and is harmless. */
const RULES = `
  SELECT line_number AS line, type, address, netmask, auth_method AS method,
    CASE WHEN error NOT LIKE '%cannot match%' THEN error END AS error
  FROM pg_catalog.pg_hba_file_rules ORDER BY line_number`;

/** Methods without authentication, or with the password in clear text. */
const UNSAFE_METHODS = ['trust', 'password'];
const EVERYWHERE = ['0.0.0.0', '::'];

/** Reads the rules, which only superusers and roles with their permission may do. */
export async function checkHba({ session }: CheckContext): Promise<Finding[]> {
  const { rows } = await session.query<Rule>(RULES);
  return checkRules(rows);
}

function checkRules(rules: readonly Rule[]): Finding[] {
  const overNetwork = rules.filter(({ type }) => type?.startsWith('host'));
  const open = overNetwork.filter(
    ({ address, netmask, method }) =>
      method !== 'reject' &&
      (address === 'all' || (EVERYWHERE.includes(address ?? '') && netmask === address)),
  );
  return [
    ...createFindings(
      'hba_unreadable',
      'error',
      rules.filter(({ error }) => error !== null),
      'cannot be read: the next reload keeps the old rules, and the next start fails',
      'Correct the lines (SELECT * FROM pg_hba_file_rules shows the errors), then SELECT pg_reload_conf().',
    ),
    ...createFindings(
      'hba_trust',
      'error',
      overNetwork.filter(({ method }) => UNSAFE_METHODS.includes(method ?? '')),
      'accept network clients without authentication (trust), or with the password in clear text (password)',
      'Write scram-sha-256 instead, then SELECT pg_reload_conf().',
    ),
    ...createFindings(
      'hba_md5',
      'warning',
      rules.filter(({ method }) => method === 'md5'),
      'accept md5, whose stored form is as good as the password itself, and which PostgreSQL is going to remove',
      "SET password_encryption = 'scram-sha-256', set each role's password again (\\password), then write scram-sha-256 instead of md5.",
    ),
    ...createFindings(
      'hba_open',
      'warning',
      open,
      'accept clients from every address',
      'Name the networks of the gateways and operators (such as 10.0.0.0/16), then SELECT pg_reload_conf().',
    ),
  ];
}

function createFindings(
  id: FindingId,
  severity: Finding['severity'],
  rules: readonly Rule[],
  what: string,
  remedy: string,
): Finding[] {
  if (rules.length === 0) return [];
  const lines = rules.map(({ line }) => line).join(', ');
  return [{ id, severity, explanation: `Lines of pg_hba.conf ${what}: ${lines}.`, remedy }];
}
