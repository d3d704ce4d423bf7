// How PostgreSQL's own programs reach the database that a pg connection reaches, and in the same way: by environment
// variables, because everybody may read the arguments of a program.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type pg from 'pg';

/** A server that is away is told soon, by them too. */
const CONNECT_TIMEOUT_SECONDS = '10';

/**
 * Does `work` with the environment for programs that are to use this database.
 * @param base what else they find there; libpq's variables that name a database must not be among it.
 */
export async function withLibpqEnvironment<T>(
  connection: pg.ClientConfig,
  base: NodeJS.ProcessEnv,
  work: (environment: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lablink-libpq-'));
  try {
    const { host, port, user, database, password, options } = connection;
    return await work({
      ...base,
      PGHOST: host ?? 'localhost',
      PGPORT: String(port ?? 5432),
      PGUSER: user,
      PGDATABASE: database,
      PGPASSWORD: typeof password === 'string' ? password : undefined,
      PGOPTIONS: options,
      PGCONNECT_TIMEOUT: CONNECT_TIMEOUT_SECONDS,
      PGAPPNAME: 'lablink-gateway db',
      PGCLIENTENCODING: 'UTF8',
      ...(await writeTlsVariables(connection.ssl, folder)),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same checks as pg makes, against the same certificates. Those come as texts, and libpq reads files. */
async function writeTlsVariables(ssl: pg.ClientConfig['ssl'], folder: string) {
  if (ssl === undefined || ssl === false) return { PGSSLMODE: 'disable' };
  const { rejectUnauthorized, ca, cert, key, checkServerIdentity } = ssl === true ? {} : ssl;
  const writeFileFor = async (name: string, content: unknown): Promise<string | undefined> => {
    // pg takes more forms than configuration makes of a file.
    if (typeof content !== 'string') return undefined;
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const client = {
    PGSSLCERT: await writeFileFor('client.crt', cert),
    PGSSLKEY: await writeFileFor('client.key', key),
  };
  if (rejectUnauthorized === false) return { PGSSLMODE: 'require', ...client };
  return {
    PGSSLMODE: checkServerIdentity === undefined ? 'verify-full' : 'verify-ca',
    PGSSLROOTCERT: await writeFileFor('root.crt', ca ?? rootCertificates.join('\n')),
    ...client,
  };
}
