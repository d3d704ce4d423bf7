// pg_hba.conf as the server reads it: who is let in from where, and by what proof.

import type { Finding, FindingId, CheckContext } from './finding.js';

interface Rule {
  readonly line: number;
  readonly type: string | null;
  readonly address: string | null;
  readonly netmask: string | null;
  readonly method: string | null;
  readonly error: string | null;
}

/** A hostssl line where TLS is off is told as an error, and harms nothing. */
const RULES = `
  SELECT line_number AS line, type, address, netmask, auth_method AS method,
    CASE WHEN error NOT LIKE '%cannot match%' THEN error END AS error
  FROM pg_catalog.pg_hba_file_rules ORDER BY line_number`;

/** Methods by which nothing is proven, or a password is sent as it is. */
const NO_PROOF = ['trust', 'password'];
const EVERYWHERE = ['0.0.0.0', '::'];

/** Only superusers, and whoever they let, may read the rules. */
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
      'Mend the lines (SELECT * FROM pg_hba_file_rules shows what is wrong), then SELECT pg_reload_conf().',
    ),
    ...createFindings(
      'hba_trust',
      'error',
      overNetwork.filter(({ method }) => NO_PROOF.includes(method ?? '')),
      'let clients of the network in without proof (trust), or have them send their password in the clear (password)',
      'Write scram-sha-256 instead, then SELECT pg_reload_conf().',
    ),
    ...createFindings(
      'hba_md5',
      'warning',
      rules.filter(({ method }) => method === 'md5'),
      'accept md5, whose stored form is as good as the password itself, and which PostgreSQL is giving up',
      "SET password_encryption = 'scram-sha-256', give each role its password anew (\\password), then write scram-sha-256 instead of md5.",
    ),
    ...createFindings(
      'hba_open',
      'warning',
      open,
      'let clients from everywhere try',
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
