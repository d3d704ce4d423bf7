// Resolves the database to use from DATABASE_URL, LABLINK_CONFIG and PG* together. The sources
// complete each other; if two of them disagree, that is an error.

import type { ClientConfig } from 'pg';
import { quoteValue } from './config-error.js';
import { readDatabaseUrl, type ConnectionParameters, type DatabaseUrl } from './database-url.js';
import { DATABASE_DEFAULTS, type Environment } from './variables.js';

/** The databases to connect to. */
export interface Databases {
  /** Undefined if no source names a database: the embedded one is used. */
  readonly database: ClientConfig | undefined;
  /** The direct connection for LISTEN and migrations; undefined if it is the same as `database`. */
  readonly listenDatabase: ClientConfig | undefined;
}

type Parameter = keyof ConnectionParameters;

interface Source {
  readonly parameters: ConnectionParameters;
  /** Returns the environment variable that sets a parameter, for messages. */
  readonly variable: (part: Parameter) => string;
}

const PG_VARIABLES = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  database: 'PGDATABASE',
} as const satisfies Record<Parameter, keyof Environment>;

/** Each of these variables names a database. PGSSLMODE alone does not. */
export const DATABASE_VARIABLES: readonly (keyof Environment)[] = [
  'DATABASE_URL',
  'LABLINK_CONFIG',
  ...Object.values(PG_VARIABLES),
];

/**
 * Resolves the databases from all sources, and adds what is wrong to `problems`.
 * @param file the parameters in the file of LABLINK_CONFIG; undefined without such a file
 */
export function resolveDatabases(
  environment: Environment,
  file: ConnectionParameters | undefined,
  problems: string[],
): Databases {
  const url = readUrl('DATABASE_URL', environment, problems);
  const listenUrl = readUrl('LISTEN_DATABASE_URL', environment, problems);
  const database = resolveDatabase(environment, url, file, problems);
  if (listenUrl === undefined || database === undefined) {
    return { database, listenDatabase: undefined };
  }
  return { database, listenDatabase: resolveListenDatabase(database, listenUrl) };
}

function readUrl(
  name: 'DATABASE_URL' | 'LISTEN_DATABASE_URL',
  environment: Environment,
  problems: string[],
): DatabaseUrl | undefined {
  const text = environment[name];
  if (text === undefined) return undefined;
  const url = readDatabaseUrl(text);
  if (typeof url !== 'string') return url;
  problems.push(`${name} (not shown): ${url}`);
  return undefined;
}

function resolveDatabase(
  environment: Environment,
  url: DatabaseUrl | undefined,
  file: ConnectionParameters | undefined,
  problems: string[],
): ClientConfig | undefined {
  const pg = readPgVariables(environment);
  const pgNamesOne = Object.values(pg).some((value) => value !== undefined);
  if (url === undefined && file === undefined && !pgNamesOne) return undefined;

  const sources: Source[] = [
    { parameters: url ?? {}, variable: () => 'DATABASE_URL' },
    { parameters: file ?? {}, variable: () => 'LABLINK_CONFIG' },
    { parameters: pg, variable: (part) => PG_VARIABLES[part] },
  ];
  return {
    host: resolveParameter('host', sources, problems) ?? DATABASE_DEFAULTS.host,
    port: resolveParameter('port', sources, problems) ?? DATABASE_DEFAULTS.port,
    user: resolveParameter('user', sources, problems) ?? DATABASE_DEFAULTS.user,
    password: resolveParameter('password', sources, problems),
    database: resolveParameter('database', sources, problems) ?? DATABASE_DEFAULTS.database,
    ssl: url?.ssl ?? readSslMode(environment.PGSSLMODE),
    options: url?.options,
    ...selectTimeout(url),
  };
}

function selectTimeout(
  url: Pick<ClientConfig, 'connectionTimeoutMillis'> | undefined,
): Pick<DatabaseUrl, 'connectionTimeoutMillis'> {
  const { connectionTimeoutMillis } = url ?? {};
  return connectionTimeoutMillis === undefined ? {} : { connectionTimeoutMillis };
}

function readPgVariables(environment: Environment): ConnectionParameters {
  return {
    host: environment.PGHOST,
    port: environment.PGPORT,
    user: environment.PGUSER,
    password: environment.PGPASSWORD,
    database: environment.PGDATABASE,
  };
}

/** Resolves one parameter. Sources that disagree are added to `problems`. */
function resolveParameter<P extends Parameter>(
  part: P,
  sources: readonly Source[],
  problems: string[],
): ConnectionParameters[P] {
  const [first, ...others] = sources.filter((source) => source.parameters[part] !== undefined);
  if (first === undefined) return undefined;
  for (const other of others) {
    if (other.parameters[part] === first.parameters[part]) continue;
    const names = `${first.variable(part)} and ${other.variable(part)}`;
    const values = [first, other]
      .map((source) => quoteValue(source.parameters[part] ?? ''))
      .join(' and ');
    problems.push(
      part === 'password'
        ? `${names} give different passwords; expected only one, or the same value`
        : `${names} name different databases: ${part} ${values}; expected only one, or the same value`,
    );
  }
  return first.parameters[part];
}

/**
 * Converts PGSSLMODE as pg does: every mode that checks is `verify-full`, and no mode falls back to
 * plain text.
 */
function readSslMode(mode: Environment['PGSSLMODE']): NonNullable<ClientConfig['ssl']> {
  if (mode === undefined || mode === 'disable') return false;
  return mode === 'no-verify' ? { rejectUnauthorized: false } : true;
}

/**
 * Resolves the direct connection to the same database. Its default port is 5432, because the other
 * port may be the pooler's.
 */
function resolveListenDatabase(database: ClientConfig, url: DatabaseUrl): ClientConfig {
  return {
    ...selectTimeout(database),
    ...selectTimeout(url),
    host: url.host ?? database.host,
    port: url.port ?? DATABASE_DEFAULTS.port,
    user: url.user ?? database.user,
    password: url.password ?? database.password,
    database: url.database ?? database.database,
    ssl: url.ssl ?? database.ssl,
    options: url.options ?? database.options,
  };
}
