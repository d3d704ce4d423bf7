// Loads the configuration. No other file reads the environment of the process. Everything is
// validated once, at the start, and all problems are reported together.

import { resolve } from 'node:path';
import { isLoopback, parseTrustProxy, type TrustProxy } from './address.js';
import { parseColumns } from './columns.js';
import { ConfigError, quoteValue } from './config-error.js';
import { resolveDatabases, DATABASE_VARIABLES, type DatabaseConfig } from './databases.js';
import { isSet, readEnvironment, rejectUnknown } from './environment.js';
import { readLablinkConfigFile } from './lablink-config-file.js';
import { parseGrace } from './grace.js';
import { rejectMisspelled } from './misspelled.js';
import { parseOrigins } from './origins.js';
import { parsePublicKey, type PublicKey } from './public-key.js';
import { readSecretFiles } from './secret-files.js';
import { removeOwnVariables, selectCommandVariables } from './tool-environment.js';
import { MIN_SECRET_BYTES } from './variable-kinds.js';
import { VARIABLES, type Environment } from './variables.js';

export { ConfigError } from './config-error.js';
export { Environment, VARIABLES, type Variable } from './variables.js';

/** The configuration of the gateway. */
export interface Config {
  /** Undefined for the embedded database in `dataDir`; otherwise complete, including `ssl`. */
  readonly database: DatabaseConfig | undefined;
  /** The connection for LISTEN and migrations; undefined if it is the same as `database`. */
  readonly listenDatabase: DatabaseConfig | undefined;
  /** How long the start waits for a database that cannot be used, in ms. */
  readonly databaseWaitMs: number;
  /** The gateway that commands use; undefined for the one that runs here. */
  readonly gatewayUrl: string | undefined;
  /** A file with the token that commands use; undefined if they sign one. */
  readonly tokenFile: string | undefined;
  readonly host: string;
  /** 0 to 65535; with 0 the system chooses the port. */
  readonly port: number;
  /** An absolute path; the folder may not exist yet. */
  readonly dataDir: string;
  /** Whether DATA_DIR was given, which asks for the embedded database. */
  readonly dataDirGiven: boolean;
  /**
   * The first signs, and all verify. If there is neither a secret nor a public key, the secret in
   * `dataDir` is used, on loopback only.
   */
  readonly jwtSecrets: readonly string[];
  /** Verify tokens that others have signed. */
  readonly jwtPublicKeys: readonly PublicKey[];
  /**
   * The origins, besides the gateway's own, whose pages may use the gateway; written as browsers
   * send them.
   */
  readonly allowedOrigins: readonly string[];
  /** The trusted proxies, as Fastify's option of this name expects them. */
  readonly trustProxy: TrustProxy;
  /** The limit of HTTP requests per minute of one identity. */
  readonly requestsPerMinute: number;
  readonly socketLimits: {
    readonly total: number;
    readonly perAddress: number;
    readonly perIdentity: number;
  };
  /** How long stopping may take to close all sockets, in ms. */
  readonly drainMs: number;
  /** Between two Pings of a socket, in ms. */
  readonly pingIntervalMs: number;
  /** How long a client may be silent, in ms. */
  readonly clientTimeoutMs: number;
  /** How long the agent of a VM in use may be offline, in ms; undefined if there is no limit. */
  readonly offlineGraceMs: number | undefined;
  /** How many days the events of the audit are kept; 0 for ever. */
  readonly auditDays: number;
  readonly logLevel: Environment['LOG_LEVEL'];
  readonly migrate: Environment['MIGRATE'];
  /** Columns that dashboards see in addition to those of the protocol. */
  readonly dashboardColumns: readonly string[];
}

/**
 * Reads and validates the environment and the files that it names. An empty variable counts as not
 * set.
 * @param options variables that the command line sets, which replace those of the environment
 * @throws ConfigError with all problems; it never contains a secret
 */
export function loadConfig(
  environmentGiven: NodeJS.ProcessEnv = process.env,
  options: NodeJS.ProcessEnv = {},
): Config {
  const given = { ...environmentGiven, ...options };
  const problems: string[] = [];
  const env = readSecretFiles(given, problems);
  const environment = readEnvironment(env, problems);
  const path = environment.LABLINK_CONFIG;
  const file = path === undefined ? undefined : readLablinkConfigFile(path, env, problems);
  const referenced = file?.references ?? new Set();
  rejectUnknown(env, referenced, problems);
  rejectMisspelled(given, referenced, problems);
  const databases = resolveDatabases(environment, file?.connection, problems);
  rejectIncomplete(env, environment.HOST, problems);
  rejectHasty(environment, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    ...databases,
    databaseWaitMs: environment.DATABASE_WAIT_SECONDS * 1_000,
    gatewayUrl: environment.LABLINK_URL,
    tokenFile: environment.LABLINK_TOKEN_FILE,
    host: environment.HOST,
    port: environment.PORT,
    dataDir: resolve(environment.DATA_DIR),
    dataDirGiven: isSet(env, 'DATA_DIR'),
    jwtSecrets: [environment.JWT_SECRET, environment.JWT_SECRET_PREVIOUS].filter(
      (secret) => secret !== undefined,
    ),
    jwtPublicKeys: [environment.JWT_PUBLIC_KEY, environment.JWT_PUBLIC_KEY_PREVIOUS]
      .map((pem) => parsePublicKey(pem ?? ''))
      .filter((key) => key !== undefined),
    allowedOrigins: parseOrigins(environment.ALLOWED_ORIGINS) ?? [],
    trustProxy: parseTrustProxy(environment.TRUST_PROXY) ?? false,
    requestsPerMinute: environment.REQUESTS_PER_MINUTE,
    socketLimits: {
      total: environment.MAX_SOCKETS,
      perAddress: environment.MAX_SOCKETS_PER_ADDRESS,
      perIdentity: environment.MAX_SOCKETS_PER_IDENTITY,
    },
    drainMs: environment.DRAIN_SECONDS * 1_000,
    pingIntervalMs: environment.PING_INTERVAL_SECONDS * 1_000,
    clientTimeoutMs: environment.CLIENT_TIMEOUT_SECONDS * 1_000,
    offlineGraceMs: parseGrace(environment.OFFLINE_GRACE),
    auditDays: environment.AUDIT_DAYS,
    logLevel: environment.LOG_LEVEL,
    migrate: environment.MIGRATE,
    dashboardColumns: parseColumns(environment.DASHBOARD_COLUMNS) ?? [],
  };
}

/** Whether LOG_LEVEL asks for the details of failures. */
export function wantsDetails({ LOG_LEVEL: level }: NodeJS.ProcessEnv = process.env): boolean {
  return level === 'debug' || level === 'trace';
}

/** Lists the variables of this program that are set, also by a file. */
export function listSetVariables(env: NodeJS.ProcessEnv = process.env): string[] {
  return VARIABLES.flatMap(({ name }) => [name, `${name}_FILE`]).filter((name) => isSet(env, name));
}

/**
 * Creates the environment for another program: that of this process without the gateway's own
 * variables.
 */
export function createToolEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return removeOwnVariables(env);
}

/** A client that answers each Ping must never count as silent. */
function rejectHasty(environment: Environment, problems: string[]): void {
  const { PING_INTERVAL_SECONDS: interval, CLIENT_TIMEOUT_SECONDS: timeout } = environment;
  if (timeout >= 2 * interval) return;
  problems.push(
    `CLIENT_TIMEOUT_SECONDS is "${timeout}"; expected at least twice PING_INTERVAL_SECONDS (${interval})`,
  );
}

/** Adds the variables to `problems` that are required because of other variables. */
function rejectIncomplete(env: NodeJS.ProcessEnv, host: string, problems: string[]): void {
  if (!isLoopback(host) && !isSet(env, 'JWT_SECRET') && !isSet(env, 'JWT_PUBLIC_KEY')) {
    problems.push(
      `JWT_SECRET is not set, nor is JWT_PUBLIC_KEY, and HOST ${quoteValue(host)} is not loopback; expected a ` +
        `secret of ${MIN_SECRET_BYTES} bytes or more, such as \`openssl rand -base64 48\` prints, or a public key`,
    );
  }
  for (const name of ['JWT_SECRET', 'JWT_PUBLIC_KEY']) {
    if (isSet(env, `${name}_PREVIOUS`) && !isSet(env, name)) {
      problems.push(`${name}_PREVIOUS is set (not shown) without ${name}; expected both`);
    }
  }
  if (isSet(env, 'LISTEN_DATABASE_URL') && !DATABASE_VARIABLES.some((name) => isSet(env, name))) {
    problems.push(
      'LISTEN_DATABASE_URL is set (not shown), but no variable names the database to which it is ' +
        `a direct connection; expected one of ${DATABASE_VARIABLES.join(', ')}`,
    );
  }
}

/**
 * Creates the environment for the command of an assignment: the variables of an allow-list, and
 * those named in `more`.
 */
export function createCommandEnvironment(
  more: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  return selectCommandVariables(env, more);
}
