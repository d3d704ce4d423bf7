// Checks for passwords that attackers try first: the configured one, and those of the server's
// roles if this role may read them.

import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Finding, CheckContext } from './finding.js';

/** The guide's own password, then common ones. */
const COMMON_PASSWORDS = [
  'lablink',
  'postgres',
  'password',
  'admin',
  'secret',
  'changeme',
  '123456',
];
const MIN_CHARACTERS = 12;

const ROLES = `
  SELECT rolname AS name, rolpassword AS stored FROM pg_catalog.pg_authid
  WHERE rolcanlogin AND rolpassword IS NOT NULL ORDER BY 1`;

interface StoredPassword {
  readonly name: string;
  readonly stored: string;
}

/** Checks the configured password, and tries common ones on the stored hashes. */
export async function checkPasswords({ session, connection }: CheckContext): Promise<Finding[]> {
  return createFindings([...findWeakUser(connection), ...(await findWeakRoles(session))]);
}

/** Checks the configured password alone, without a connection. */
export const checkConfiguredPassword = (connection: pg.ClientConfig): Finding[] =>
  createFindings(findWeakUser(connection));

function findWeakUser({ user = '', password }: pg.ClientConfig): string[] {
  return typeof password === 'string' && isWeak(password, user) ? [user] : [];
}

function createFindings(names: readonly string[]): Finding[] {
  const weak = new Set(names);
  if (weak.size === 0) return [];
  return [
    {
      id: 'weak_password',
      severity: 'error',
      explanation: `The password of ${[...weak].join(', ')} is a default, the role's own name, or shorter than ${MIN_CHARACTERS} characters.`,
      remedy:
        'Set another one with \\password in psql, such as `openssl rand -base64 24` prints; then change DATABASE_URL or PGPASSWORD of the gateways.',
    },
  ];
}

function isWeak(password: string, user: string): boolean {
  return (
    password.length < MIN_CHARACTERS || password === user || COMMON_PASSWORDS.includes(password)
  );
}

/**
 * Finds roles with a common password; none if this role, not a superuser, may not read the hashes.
 */
async function findWeakRoles(session: pg.Client): Promise<string[]> {
  const roles = await session.query<StoredPassword>(ROLES).catch((error: unknown) => {
    if (error instanceof pg.DatabaseError && error.code === '42501') return undefined;
    throw error;
  });
  const weak: string[] = [];
  for (const { name, stored } of roles?.rows ?? []) {
    const candidates = [name, ...COMMON_PASSWORDS];
    const matches = await Promise.all(
      candidates.map((guess) => matchesStored(stored, guess, name)),
    );
    if (matches.includes(true)) weak.push(name);
  }
  return weak;
}

/**
 * Whether the stored hash belongs to this password (PostgreSQL, "Password Authentication"; RFC 5802
 * §3).
 */
async function matchesStored(stored: string, password: string, user: string): Promise<boolean> {
  const [, iterations = '', salt = '', storedKey = ''] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/.exec(stored) ?? [];
  if (iterations === '') {
    return (
      stored ===
      `md5${createHash('md5')
        .update(password + user)
        .digest('hex')}`
    );
  }
  const salted = await promisify(pbkdf2)(
    password,
    Buffer.from(salt, 'base64'),
    Number(iterations),
    32,
    'sha256',
  );
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const key = createHash('sha256').update(clientKey).digest();
  const expected = Buffer.from(storedKey, 'base64');
  return key.length === expected.length && timingSafeEqual(key, expected);
}
