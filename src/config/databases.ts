// Resolves the database to use from DATABASE_URL, PGSERVICE, LABLINK_CONFIG and PG* together. The
// sources complete each other; if two of them disagree, that is an error.

import type { ClientConfig } from 'pg';
import { quoteValue } from './config-error.js';
import {
  readDatabaseUrl,
  readKeywords,
  type CertificateFiles,
  type ConnectionParameters,
  type DatabaseUrl,
} from './database-url.js';
import { pairHosts, type ServerAddress, type TargetSession } from './hosts.js';
import { readService } from './service-file.js';
import { DATABASE_DEFAULTS, type Environment } from './variables.js';

/** A connection, whose server may have to be chosen among several. */
export interface DatabaseConfig extends ClientConfig {
  /** All servers in their order; absent if there is one, of any kind. */
  readonly hosts?: readonly ServerAddress[];
  readonly targetSession?: TargetSession;
}

/** The databases to connect to. */
export interface Databases {
  /** Undefined if no source names a database: the embedded one is used. */
  readonly database: DatabaseConfig | undefined;
  /** The direct connection for LISTEN and migrations; undefined if it is the same as `database`. */
  readonly listenDatabase: DatabaseConfig | undefined;
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
  'PGSERVICE',
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
  return { database, listenDatabase: resolveListenDatabase(database, listenUrl, problems) };
}

function readUrl(
  name: 'DATABASE_URL' | 'LISTEN_DATABASE_URL',
  environment: Environment,
  problems: string[],
): DatabaseUrl | undefined {
  const text = environment[name];
  if (text === undefined) return undefined;
  const url = readDatabaseUrl(text, listCertificateFiles(environment));
  if (typeof url === 'string') {
    problems.push(`${name} (not shown): ${url}`);
    return undefined;
  }
  if (url.service === undefined) return url;
  const service = loadService(url.service, name, environment, problems);
  return { ...service, ...omitUndefined(url) };
}

/** Reads a service, which the variable `origin` names. */
function loadService(
  name: string,
  origin: string,
  environment: Environment,
  problems: string[],
): DatabaseUrl | undefined {
  const { PGSERVICEFILE: file, PGSYSCONFDIR: folder } = environment;
  const keywords = readService(name, { file, folder });
  const service =
    typeof keywords === 'string'
      ? keywords
      : readKeywords(keywords, listCertificateFiles(environment));
  if (typeof service !== 'string') return service;
  problems.push(`${origin}, service ${quoteValue(name)}: ${service}`);
  return undefined;
}

function resolveDatabase(
  environment: Environment,
  url: DatabaseUrl | undefined,
  file: ConnectionParameters | undefined,
  problems: string[],
): DatabaseConfig | undefined {
  const pg = readPgVariables(environment);
  const { PGSERVICE } = environment;
  const service =
    PGSERVICE === undefined
      ? undefined
      : loadService(PGSERVICE, 'PGSERVICE', environment, problems);
  const pgNamesOne = Object.values(pg).some((value) => value !== undefined);
  if (url === undefined && file === undefined && PGSERVICE === undefined && !pgNamesOne) {
    return undefined;
  }
  const sources: Source[] = [
    { parameters: url ?? {}, variable: () => 'DATABASE_URL' },
    { parameters: service ?? {}, variable: () => 'PGSERVICE' },
    { parameters: file ?? {}, variable: () => 'LABLINK_CONFIG' },
    { parameters: pg, variable: (part) => PG_VARIABLES[part] },
  ];
  return completeDatabase(
    {
      ...readSettings(environment, problems),
      ...omitUndefined(service ?? {}),
      ...omitUndefined(url ?? {}),
      host: resolveParameter('host', sources, problems),
      port: resolveParameter('port', sources, problems),
      user: resolveParameter('user', sources, problems),
      password: resolveParameter('password', sources, problems),
      database: resolveParameter('database', sources, problems),
    },
    'The database',
    problems,
  );
}

/**
 * Fills the missing parts with their defaults.
 * @param what the subject of a problem
 */
export function completeDatabase(
  url: DatabaseUrl,
  what: string,
  problems: string[],
): DatabaseConfig {
  const { user = DATABASE_DEFAULTS.user, database = DATABASE_DEFAULTS.database } = url;
  const hosts = pairHosts(url.host, url.port, DATABASE_DEFAULTS);
  if (typeof hosts === 'string') problems.push(`${what}: ${hosts}`);
  return {
    ...chooseAmong(typeof hosts === 'string' ? [] : hosts, url.targetSession),
    user,
    password: url.password,
    database,
    ssl: url.ssl ?? false,
    options: url.options,
    ...selectTimeout(url),
  };
}

/** The first server, and the others if one has to be chosen. */
function chooseAmong(
  hosts: readonly ServerAddress[],
  targetSession: TargetSession | undefined,
): Pick<DatabaseConfig, 'host' | 'port' | 'hosts' | 'targetSession'> {
  const { host, port } = hosts[0] ?? DATABASE_DEFAULTS;
  if (hosts.length <= 1 && (targetSession ?? 'any') === 'any') return { host, port };
  return { host, port, hosts, targetSession: targetSession ?? 'read-write' };
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

/** What the variables say besides the address and the role. */
function readSettings(environment: Environment, problems: string[]): DatabaseUrl {
  const { PGCONNECT_TIMEOUT: seconds, PGTARGETSESSIONATTRS: targetSession } = environment;
  return omitUndefined({
    ssl: readTls(environment, problems),
    options: environment.PGOPTIONS,
    connectionTimeoutMillis: seconds === undefined ? undefined : seconds * 1_000,
    targetSession,
  });
}

function listCertificateFiles(environment: Environment): CertificateFiles {
  return omitUndefined({
    sslrootcert: environment.PGSSLROOTCERT,
    sslcert: environment.PGSSLCERT,
    sslkey: environment.PGSSLKEY,
  });
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
 * plain text. Certificates without a mode are checked too.
 */
function readTls(environment: Environment, problems: string[]): DatabaseUrl['ssl'] {
  const { PGSSLMODE: mode } = environment;
  const files = Object.entries(listCertificateFiles(environment));
  if (mode === 'disable' || (mode === undefined && files.length === 0)) return undefined;
  if (mode === 'no-verify' && files.length === 0) return { rejectUnauthorized: false };
  if (files.length === 0) return true;
  const read = readKeywords(new Map([['sslmode', mode ?? 'verify-full'], ...files]));
  if (typeof read !== 'string') return read.ssl;
  problems.push(`PGSSLMODE and the files of certificates: ${read}`);
  return undefined;
}

/**
 * Resolves the direct connection to the same database. Its default port is 5432, because the other
 * port may be the pooler's.
 */
function resolveListenDatabase(
  database: DatabaseConfig,
  url: DatabaseUrl,
  problems: string[],
): DatabaseConfig {
  const names = database.hosts?.map(({ host }) => host).join(',') ?? database.host;
  return completeDatabase(
    {
      ...selectTimeout(database),
      ...omitUndefined({ targetSession: database.targetSession }),
      ...omitUndefined(url),
      host: url.host ?? names,
      user: url.user ?? database.user,
      password: url.password ?? readPassword(database),
      database: url.database ?? database.database,
      ssl: url.ssl ?? database.ssl,
      options: url.options ?? database.options,
    },
    'LISTEN_DATABASE_URL (not shown)',
    problems,
  );
}

const readPassword = ({ password }: DatabaseConfig): string | undefined =>
  typeof password === 'string' ? password : undefined;

function omitUndefined<T extends object>(
  values: T,
): Partial<{ [K in keyof T]: Exclude<T[K], undefined> }> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<{ [K in keyof T]: Exclude<T[K], undefined> }>;
}
