// The configuration: the only reader of the process's environment. Everything is checked once, at the start, and
// everything that is wrong is told at once.

import { resolve } from 'node:path';
import type { ClientConfig } from 'pg';
import { isLoopback, parseTrustProxy, type TrustProxy } from './address.js';
import { parseColumns } from './columns.js';
import { ConfigError, quoteValue } from './config-error.js';
import { resolveDatabases, DATABASE_VARIABLES } from './databases.js';
import { isSet, readEnvironment, rejectUnknown } from './environment.js';
import { readLablinkConfigFile } from './lablink-config-file.js';
import { parseGrace } from './grace.js';
import { parseOrigins } from './origins.js';
import { parsePublicKey, type PublicKey } from './public-key.js';
import { readSecretFiles } from './secret-files.js';
import { removeOwnVariables } from './tool-environment.js';
import { MIN_SECRET_BYTES } from './variable-kinds.js';
import type { Environment } from './variables.js';

export { ConfigError } from './config-error.js';
export { Environment, VARIABLES, type Variable } from './variables.js';

export interface Config {
  /** Undefined: the embedded database in `dataDir`. Else complete, `ssl` included. */
  readonly database: ClientConfig | undefined;
  /** Where LISTEN and migrations connect; undefined: as `database`. */
  readonly listenDatabase: ClientConfig | undefined;
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** An absolute path; the folder may not exist yet. */
  readonly dataDir: string;
  /** The first signs, all verify. Empty, and no public key: the one kept in `dataDir` (only on loopback). */
  readonly jwtSecrets: readonly string[];
  /** Verify what others signed. */
  readonly jwtPublicKeys: readonly PublicKey[];
  /** Whose pages may use the gateway besides its own: origins as browsers send them. */
  readonly allowedOrigins: readonly string[];
  /** As Fastify's option of this name takes it. */
  readonly trustProxy: TrustProxy;
  /** How often one identity may ask over HTTP. */
  readonly requestsPerMinute: number;
  readonly socketLimits: {
    readonly total: number;
    readonly perAddress: number;
    readonly perIdentity: number;
  };
  readonly drainMs: number;
  /** How long the agent of a VM in use may stay away; undefined: for ever. */
  readonly offlineGraceMs: number | undefined;
  readonly logLevel: Environment['LOG_LEVEL'];
  readonly migrate: Environment['MIGRATE'];
  /** Columns that dashboards see besides the protocol's. */
  readonly dashboardColumns: readonly string[];
}

/**
 * Reads and checks the environment, and the files it names; writes nothing. A variable that is
 * empty counts as not set.
 * @throws ConfigError with everything that is wrong, and never a secret in it
 */
export function loadConfig(given: NodeJS.ProcessEnv = process.env): Config {
  const problems: string[] = [];
  const env = readSecretFiles(given, problems);
  const environment = readEnvironment(env, problems);
  const path = environment.LABLINK_CONFIG;
  const file = path === undefined ? undefined : readLablinkConfigFile(path, env, problems);
  rejectUnknown(env, file?.references ?? new Set(), problems);
  const databases = resolveDatabases(environment, file?.connection, problems);
  rejectIncomplete(env, environment.HOST, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    ...databases,
    host: environment.HOST,
    port: environment.PORT,
    dataDir: resolve(environment.DATA_DIR),
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
    offlineGraceMs: parseGrace(environment.OFFLINE_GRACE),
    logLevel: environment.LOG_LEVEL,
    migrate: environment.MIGRATE,
    dashboardColumns: parseColumns(environment.DASHBOARD_COLUMNS) ?? [],
  };
}

/** The environment for programs of others: this process's without what is ours, see there. */
export function createToolEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return removeOwnVariables(env);
}

/** What is missing only because of what else is set. */
function rejectIncomplete(env: NodeJS.ProcessEnv, host: string, problems: string[]): void {
  if (!isLoopback(host) && !isSet(env, 'JWT_SECRET') && !isSet(env, 'JWT_PUBLIC_KEY')) {
    problems.push(
      `JWT_SECRET is not set, nor JWT_PUBLIC_KEY, and HOST ${quoteValue(host)} is open to others; expected a ` +
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
      'LISTEN_DATABASE_URL is set (not shown), but nothing names the database that it is ' +
        `another way to; expected one of ${DATABASE_VARIABLES.join(', ')}`,
    );
  }
}

/** What commands that are run here inherit: the whole environment, as it is. */
export function copyEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env };
}
