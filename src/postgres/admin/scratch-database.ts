// A temporary database on the same server, dropped after use. If the process is killed before that,
// the next backup drops it.

import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { MaintenanceError } from './maintenance-error.js';
import { formatScratchName, parseScratchName, SCRATCH_PATTERN } from './scratch-name.js';
import { takeOnlyRow, withSession } from './session.js';

/** insufficient_privilege. */
const RIGHTS = '42501';

/** The columns of pg_database that a copy needs; a column that the version lacks is null. */
interface Source {
  readonly oid: number;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `c` (libc), `i` (ICU) or `b` (builtin). */
  readonly provider: string | null;
  readonly locale: string | null;
  readonly rules: string | null;
}

/** The names of columns changed with versions 15 and 17. */
const SOURCE = `
  SELECT oid::bigint::float8 AS oid, pg_encoding_to_char(encoding) AS encoding, datcollate AS collate,
    datctype AS ctype, to_jsonb(d) ->> 'datlocprovider' AS provider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
    to_jsonb(d) ->> 'daticurules' AS rules
  FROM pg_catalog.pg_database d WHERE datname = current_database()`;

/**
 * Runs `work` with a new, empty database of the same encoding and locale, and always drops it
 * afterwards, also after an interrupt.
 *
 * @throws MaintenanceError `rights` if the role may not create a database.
 */
export async function withScratchDatabase<T>(
  connection: pg.ClientConfig,
  work: (scratch: pg.ClientConfig) => Promise<T>,
): Promise<T> {
  return withSession(connection, 'scratch', async (session) => {
    const source = takeOnlyRow(await session.query<Source>(SOURCE));
    const name = formatScratchName(source.oid, new Date(), randomBytes(6).toString('hex'));
    await createScratchDatabase(session, name, source);
    try {
      // The copy is as confidential as the original, so no other role may connect.
      await session.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
      return await work({ ...connection, database: name });
    } finally {
      await dropDatabase(session, name);
    }
  });
}

async function createScratchDatabase(
  session: pg.Client,
  name: string,
  source: Source,
): Promise<void> {
  try {
    await session.query(`CREATE DATABASE ${name} TEMPLATE template0 ${formatLocale(source)}`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== RIGHTS) throw error;
    throw new MaintenanceError(
      'rights',
      `${error.message}: a scratch database is needed; a superuser can allow it with "ALTER ROLE ${session.user ?? ''} CREATEDB"`,
      { cause: error },
    );
  }
}

/** Formats the options of CREATE DATABASE. The default locale is that of template0. */
function formatLocale({ encoding, collate, ctype, provider, locale, rules }: Source): string {
  const quote = pg.escapeLiteral;
  const name = locale === null ? '' : quote(locale);
  return [
    `ENCODING ${quote(encoding)} LC_COLLATE ${quote(collate)} LC_CTYPE ${quote(ctype)}`,
    ...(provider === 'c' ? ['LOCALE_PROVIDER libc'] : []),
    ...(provider === 'i' ? [`LOCALE_PROVIDER icu ICU_LOCALE ${name}`] : []),
    ...(provider === 'b' ? [`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${name}`] : []),
    ...(rules === null ? [] : [`ICU_RULES ${quote(rules)}`]),
  ].join(' ');
}

async function dropDatabase(session: pg.Client, name: string): Promise<void> {
  const drop = `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)}`;
  try {
    await session.query(`${drop} WITH (FORCE)`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== RIGHTS) throw error;
    // FORCE may not end autovacuum, which runs as a superuser; without FORCE the server ends it.
    await session.query(drop);
  }
}

/**
 * Drops the scratch databases that ended backups of this database left. The caller holds the backup
 * lock alone. Copies of other databases stay.
 *
 * @returns the names of the dropped databases.
 */
export async function dropLeftScratchDatabases(connection: pg.ClientConfig): Promise<string[]> {
  return withSession(connection, 'scratch', async (session) => {
    const { oid } = takeOnlyRow(await session.query<Source>(SOURCE));
    const { rows } = await session.query<{ name: string }>(
      `SELECT datname AS name FROM pg_catalog.pg_database
       WHERE datname LIKE $1 AND pg_has_role(datdba, 'USAGE') ORDER BY 1`,
      [SCRATCH_PATTERN],
    );
    const left = rows
      .map(({ name }) => name)
      .filter((name) => parseScratchName(name)?.sourceOid === oid);
    for (const name of left) await dropDatabase(session, name);
    return left;
  });
}
