// Reads a database URL as pg does (pg-connection-string), and refuses what pg would quietly ignore or misread.

import type { ClientConfig } from 'pg';
import { parse, toClientConfig } from 'pg-connection-string';
import { quoteValue } from './config-error.js';
import { SSL_MODES } from './variables.js';

/** What names a database and how to log in to it. */
export interface ConnectionParameters {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: string | undefined;
}

export interface DatabaseUrl extends ConnectionParameters {
  /** Present when the URL says sslmode or names a certificate. */
  readonly ssl?: ClientConfig['ssl'];
  /** Settings for the server, as `-c name=value` (libpq's `options`). */
  readonly options?: string | undefined;
}

/** The parameters that may stand in the query; each value that has a fixed set, with its set. */
const QUERY_PARAMETERS = new Map<string, readonly string[] | undefined>([
  ['host', undefined],
  ['port', undefined],
  ['user', undefined],
  ['password', undefined],
  ['options', undefined],
  ['sslmode', SSL_MODES],
  ['sslrootcert', undefined],
  ['sslcert', undefined],
  ['sslkey', undefined],
  ['uselibpqcompat', ['true', 'false']],
]);

/**
 * Reads `url`; what it does not say is undefined. Certificates are read from their files.
 *
 * `sslmode` means what pg 8 makes of it: `prefer`, `require` and `verify-ca` all check the
 * certificate and the host name as `verify-full` does and never fall back to plain text; `no-verify`
 * encrypts and checks nothing; `uselibpqcompat=true` gives them libpq's weaker meanings.
 *
 * @returns a string when the URL is unusable: why, without any part that could be a password
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
  if (port !== undefined && !(port >= 1 && port <= 65_535)) return 'its port is not 1 to 65535';
  if (host?.includes(',')) return 'it names more than one host';
  return {
    host: emptyToUndefined(host),
    port,
    user: emptyToUndefined(user),
    password: typeof password === 'string' ? emptyToUndefined(password) : undefined,
    database,
    ssl,
    options,
  };
}

/** pg-connection-string says '' of a part that is not there. */
function emptyToUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function findUrlProblem(url: string): string | undefined {
  // Unescaped, these end the user and password early, and the rest would be taken for a host.
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

/** Why pg-connection-string gave up. The URL itself stands in some of its messages, so none is repeated. */
function describeParseError(error: unknown): string {
  if (error instanceof Error && 'path' in error && 'code' in error) {
    return `its certificate file ${quoteValue(String(error.path))} cannot be read (${String(error.code)})`;
  }
  if (error instanceof Error && error.message.includes('sslrootcert')) {
    return 'its sslmode needs sslrootcert';
  }
  return 'it is not a URL like postgresql://user:password@host:5432/database';
}
