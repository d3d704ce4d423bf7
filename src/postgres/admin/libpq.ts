// Connects PostgreSQL's own programs to the same database, and with the same checks, as a pg
// connection. Environment variables are used, because every user can read a program's arguments.

import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type pg from 'pg';
import { isRunning } from '../../processes/process-table.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** The folder's name goes on with the pid of the process that uses it. */
const FOLDER_PREFIX = 'lablink-libpq-';
/** Programs read the certificates when they start; after this time no program needs the folder. */
const FOLDER_AGE_MS = 3_600_000;

/**
 * Runs `work` with the environment for programs that use this database. Certificates are in
 * temporary files until `work` ends.
 *
 * @param base other variables; libpq's variables that name a database must not be among them.
 */
export async function withLibpqEnvironment<T>(
  connection: pg.ClientConfig,
  base: NodeJS.ProcessEnv,
  work: (environment: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> {
  await removeLeftFolders();
  const folder = await mkdtemp(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
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
      PGCONNECT_TIMEOUT: String(
        Math.ceil((connection.connectionTimeoutMillis ?? CONNECT_TIMEOUT_MS) / 1_000),
      ),
      PGAPPNAME: 'lablink-gateway db',
      PGCLIENTENCODING: 'UTF8',
      ...(await writeTlsVariables(connection.ssl, folder)),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the folders of killed processes, which may hold a private key. */
async function removeLeftFolders(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const pid = Number.parseInt(name.slice(FOLDER_PREFIX.length), 10);
    if (pid > 0 && isRunning(pid)) continue;
    const path = join(tmpdir(), name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
    // The folder of another user stays.
    if (Date.now() - mtimeMs > FOLDER_AGE_MS) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** Requests the checks that pg makes. pg has certificates as texts; libpq reads them from files. */
async function writeTlsVariables(ssl: pg.ClientConfig['ssl'], folder: string) {
  if (ssl === undefined || ssl === false) return { PGSSLMODE: 'disable' };
  const { rejectUnauthorized, ca, cert, key, checkServerIdentity } = ssl === true ? {} : ssl;
  const writeFileFor = async (name: string, content: unknown): Promise<string | undefined> => {
    // pg accepts more types than the configuration produces.
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
