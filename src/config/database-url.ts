// Parses a database URL as pg does (pg-connection-string), and rejects URLs that pg would misread,
// or whose parameters pg would silently ignore.

import type { ClientConfig } from 'pg';
import { parse, toClientConfig } from 'pg-connection-string';
import { quoteValue } from './config-error.js';
import { SSL_MODES } from './variables.js';

/** The address of a database, and the role to connect as. */
export interface ConnectionParameters {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
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
  ['sslmode', SSL_MODES],
  ['sslrootcert', undefined],
  ['sslcert', undefined],
  ['sslkey', undefined],
  ['uselibpqcompat', ['true', 'false']],
]);

/**
 * Parses `url`, and reads certificates from their files.
 *
 * `sslmode` has the meaning of pg 8. `prefer`, `require` and `verify-ca` check the certificate and
 * the host name as `verify-full` does, and never fall back to plain text. `no-verify` encrypts
 * without checking the certificate. `uselibpqcompat=true` selects libpq's weaker meanings.
 *
 * @returns a string if the URL is unusable: the reason, without any part that could be a password
 */
export function readDatabaseUrl(url: string): DatabaseUrl | string {
  const fault = findUrlProblem(url);
  if (fault !== undefined) return fault;
  let config: ClientConfig;
  try {
    config = toClientConfig(parse(url));
  } catch (error) {
    return describeParseError(error);
  }
  const { host, port, user, password, database, ssl, options } = config;
  if (port !== undefined && !(port >= 1 && port <= 65_535))
    return 'its port must be from 1 to 65535';
  if (host?.includes(',')) return 'it must name one host only';
  const timeout = readConnectTimeout(url);
  if (typeof timeout === 'string') return timeout;
  return {
    ...timeout,
    host: emptyToUndefined(host),
    port,
    user: emptyToUndefined(user),
    password: typeof password === 'string' ? emptyToUndefined(password) : undefined,
    database,
    ssl,
    options,
  };
}

const MAX_CONNECT_TIMEOUT_SECONDS = 600;

/** Reads the parameter, whose unit is the second. Without a limit a command could wait for ever. */
function readConnectTimeout(url: string): Pick<DatabaseUrl, 'connectionTimeoutMillis'> | string {
  const text = new URLSearchParams(url.split('?')[1] ?? '').get('connect_timeout');
  if (text === null) return {};
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

function findUrlProblem(url: string): string | undefined {
  // Unescaped, these characters end the user or password early, and the rest would be read as the
  // host.
  if (/#|\?.*@/.test(url)) return 'write # as %23, ? as %3F and @ as %40 inside user and password';
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  for (const [name, value] of new URLSearchParams(query)) {
    if (!QUERY_PARAMETERS.has(name)) {
      return `its parameter ${quoteValue(name)} is not one of ${[...QUERY_PARAMETERS.keys()].join(', ')}`;
    }
    const values = QUERY_PARAMETERS.get(name);
    if (values?.includes(value) === false) return `its ${name} is not one of ${values.join(', ')}`;
  }
  return undefined;
}

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
  return 'it must be a URL like postgresql://user:password@host:5432/database';
}
