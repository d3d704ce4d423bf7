// Parses a database URL, or libpq's keywords and values, as pg does (pg-connection-string), and
// rejects what pg would misread, and parameters that pg would silently ignore.

import type { ClientConfig } from 'pg';
import { parse, toClientConfig } from 'pg-connection-string';
import { quoteValue } from './config-error.js';
import {
  isDatabaseUrl,
  parseKeywords,
  splitKeywords,
  splitUrl,
  type SplitString,
} from './connection-string.js';
import { pairHosts, TARGET_SESSIONS, type TargetSession } from './hosts.js';
import { DATABASE_DEFAULTS, SSL_MODES } from './variables.js';

/** The address of a database, and the role to connect as. */
export interface ConnectionParameters {
  /** A host, or several with commas. */
  readonly host?: string | undefined;
  /** A port, or one for each host, with commas. */
  readonly port?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: string | undefined;
}

/** The content of a database URL. A property is undefined if the URL does not contain it. */
export interface DatabaseUrl extends ConnectionParameters {
  /** Undefined if the URL has neither `sslmode` nor a certificate. */
  readonly ssl?: ClientConfig['ssl'];
  /** Settings of the session, as `-c name=value` (libpq's `options`). */
  readonly options?: string | undefined;
  /**
   * libpq's `connect_timeout`, in ms; absent unless the URL has it. It holds for commands. A
   * gateway gives up a connection after five seconds in any case.
   */
  readonly connectionTimeoutMillis?: number;
  /** Which of several hosts is wanted. */
  readonly targetSession?: TargetSession;
  /** The name of a service, whose parameters complete these. */
  readonly service?: string;
}

/**
 * The allowed query parameters, each with its allowed values; undefined if any value is allowed.
 */
const QUERY_PARAMETERS = new Map<string, readonly string[] | undefined>([
  ['host', undefined],
  ['port', undefined],
  ['user', undefined],
  ['password', undefined],
  ['options', undefined],
  ['connect_timeout', undefined],
  ['target_session_attrs', TARGET_SESSIONS],
  ['service', undefined],
  ['sslmode', SSL_MODES],
  ['sslrootcert', undefined],
  ['sslcert', undefined],
  ['sslkey', undefined],
  ['uselibpqcompat', ['true', 'false']],
]);

/** The files of certificates and keys, by their parameters. */
export type CertificateFiles = Readonly<
  Partial<Record<'sslrootcert' | 'sslcert' | 'sslkey', string>>
>;

/**
 * Parses `text`, and reads certificates from their files.
 *
 * `sslmode` has the meaning of pg 8. `prefer`, `require` and `verify-ca` check the certificate and
 * the host name as `verify-full` does, and never fall back to plain text. `no-verify` encrypts
 * without checking the certificate. `uselibpqcompat=true` selects libpq's weaker meanings.
 *
 * @param files used if `text` has an `sslmode` and not this parameter
 * @returns a string if the URL is unusable: the reason, without any part that could be a password
 */
export function readDatabaseUrl(text: string, files: CertificateFiles = {}): DatabaseUrl | string {
  if (isDatabaseUrl(text)) return readUrl(text, files);
  const keywords = parseKeywords(text);
  return keywords === undefined ? NOT_A_URL : readKeywords(keywords, files);
}

/** Like `readDatabaseUrl`, for libpq's keywords and values. */
export function readKeywords(
  keywords: ReadonlyMap<string, string>,
  files: CertificateFiles = {},
): DatabaseUrl | string {
  const given = new Map([...keywords].filter(([name]) => name !== 'dbname'));
  return findParameterProblem(given) ?? readSplit(splitKeywords(keywords), given, files);
}

function readUrl(url: string, files: CertificateFiles): DatabaseUrl | string {
  // Unescaped, these characters end the user or password early, and the rest would be read as the
  // host.
  if (/#|\?.*@/.test(url)) return 'write # as %23, ? as %3F and @ as %40 inside user and password';
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  const parameters = new Map(new URLSearchParams(query));
  const problem = findParameterProblem(parameters);
  if (problem !== undefined) return problem;
  const split = splitUrl(url);
  return split === undefined ? NOT_A_URL : readSplit(split, parameters, files);
}

function readSplit(
  split: SplitString,
  parameters: ReadonlyMap<string, string>,
  files: CertificateFiles,
): DatabaseUrl | string {
  let config: ClientConfig;
  try {
    config = toClientConfig(parse(addFiles(split.url, parameters, files)));
  } catch (error) {
    return describeParseError(error);
  }
  const { user, password, ssl, options } = config;
  const host = split.host ?? emptyToUndefined(config.host);
  const port = split.port ?? config.port?.toString();
  const hosts = pairHosts(host, port, DATABASE_DEFAULTS);
  // A host may come from another source.
  if (typeof hosts === 'string' && host !== undefined) return hosts;
  const timeout = readConnectTimeout(parameters.get('connect_timeout'));
  if (typeof timeout === 'string') return timeout;
  return {
    ...timeout,
    ...readNames(parameters),
    host,
    port,
    user: emptyToUndefined(user),
    password: typeof password === 'string' ? emptyToUndefined(password) : undefined,
    database: split.database ?? config.database,
    ssl,
    options,
  };
}

/** libpq too completes a mode with the variables of certificates. */
function addFiles(
  url: string,
  parameters: ReadonlyMap<string, string>,
  files: CertificateFiles,
): string {
  if ([undefined, 'disable'].includes(parameters.get('sslmode'))) return url;
  const missing = Object.entries(files).filter(([name]) => !parameters.has(name));
  return missing.reduce(
    (longer, [name, path]) =>
      `${longer}${longer.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(path)}`,
    url,
  );
}

function readNames(
  parameters: ReadonlyMap<string, string>,
): Pick<DatabaseUrl, 'service' | 'targetSession'> {
  const service = parameters.get('service');
  const wanted = parameters.get('target_session_attrs');
  const targetSession = TARGET_SESSIONS.find((value) => value === wanted);
  return {
    ...(service === undefined ? {} : { service }),
    ...(targetSession === undefined ? {} : { targetSession }),
  };
}

const MAX_CONNECT_TIMEOUT_SECONDS = 600;

/** Reads the parameter, whose unit is the second. Without a limit a command could wait for ever. */
function readConnectTimeout(
  text: string | undefined,
): Pick<DatabaseUrl, 'connectionTimeoutMillis'> | string {
  if (text === undefined) return {};
  const seconds = Number(text);
  if (!/^\d{1,3}$/.test(text) || seconds < 1 || seconds > MAX_CONNECT_TIMEOUT_SECONDS) {
    return `its connect_timeout must be from 1 to ${MAX_CONNECT_TIMEOUT_SECONDS} seconds`;
  }
  return { connectionTimeoutMillis: seconds * 1_000 };
}

/** pg-connection-string returns '' for a missing part. */
function emptyToUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function findParameterProblem(parameters: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of parameters) {
    if (!QUERY_PARAMETERS.has(name)) {
      return `its parameter ${quoteValue(name)} is not one of ${[...QUERY_PARAMETERS.keys()].join(', ')}`;
    }
    const values = QUERY_PARAMETERS.get(name);
    if (values?.includes(value) === false) return `its ${name} is not one of ${values.join(', ')}`;
  }
  return undefined;
}

const NOT_A_URL =
  'it must be a URL like postgresql://user:password@host:5432/database, or "host=… dbname=…"';

/**
 * Describes why pg-connection-string failed. Its own messages may contain the URL, so they are not
 * repeated.
 */
function describeParseError(error: unknown): string {
  if (error instanceof Error && 'path' in error && 'code' in error) {
    return `its certificate file ${quoteValue(String(error.path))} cannot be read (${String(error.code)})`;
  }
  if (error instanceof Error && error.message.includes('sslrootcert')) {
    return 'its sslmode needs sslrootcert';
  }
  return NOT_A_URL;
}
