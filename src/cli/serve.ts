// The subcommand `serve`: runs the gateway until a signal, and prints a banner once it serves.

import { Command } from 'commander';
import type { Logger } from 'pino';
import { resolveSecrets } from '../gateway/auth/secret.js';
import { signToken } from '../gateway/auth/token.js';
import { isLoopback } from '../config/address.js';
import { ConfigError, quoteValue } from '../config/config-error.js';
import { loadConfig, type Config } from '../config/load.js';
import type { EmbeddedServer } from '../postgres/embedded/server.js';
import { formatBanner } from './banner.js';
import { startLifecycle } from './lifecycle.js';
import { createLog, type ProcessLog } from './logger.js';
import { createSignInLink } from './sign-in-link.js';
import { startGateway, type StartedGateway } from './start-gateway.js';
import { formatAddress } from './wait-for-database.js';

const ADMIN_TTL_SECONDS = 12 * 3_600;
const ADMIN = { role: 'admin', sub: 'admin', ttlSeconds: ADMIN_TTL_SECONDS } as const;

export function createServeCommand(): Command {
  return new Command('serve')
    .description('run the gateway; the environment configures it')
    .option('--host <address>', 'the address to listen on (default: HOST, or 127.0.0.1)')
    .option('--port <port>', 'the port to listen on (default: PORT, or 8080)')
    .option('--database-url <url>', 'the database (default: DATABASE_URL, or an embedded one)')
    .option('--data-dir <folder>', 'the embedded database (default: DATA_DIR, or .lablink)')
    .action(async (options: ServeOptions) => {
      const config = loadConfig(undefined, selectVariables(options));
      requireDatabase(config);
      await serve(config, createLog(config.logLevel));
    });
}

interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly databaseUrl?: string;
  readonly dataDir?: string;
}

/** Returns the variables for which the options stand. */
function selectVariables({ host, port, databaseUrl, dataDir }: ServeOptions): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries({ HOST: host, PORT: port, DATABASE_URL: databaseUrl, DATA_DIR: dataDir }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}

/**
 * Requires that a gateway which others can reach is given its database.
 *
 * @throws ConfigError if it would start an embedded database that its operator did not ask for
 */
function requireDatabase({ host, database, dataDirGiven }: Config): void {
  if (database !== undefined || dataDirGiven || isLoopback(host)) return;
  throw new ConfigError([
    `No variable names a database, and HOST ${quoteValue(host)} is not loopback; expected ` +
      'DATABASE_URL, or DATA_DIR to use an embedded database in that folder',
  ]);
}

/** Runs the gateway; a signal or a failure ends the process. */
async function serve(config: Config, log: ProcessLog): Promise<void> {
  // A banner that cannot be written, as on a full disk, does not end the gateway.
  process.stdout.on('error', () => undefined);
  const jwtSecrets = await resolveSecrets(config);
  process.stdout.write(`Database: ${describeDatabase(config)}\n`);
  const lifecycle = startLifecycle(log, config.drainMs);
  const started = await startGateway(config, jwtSecrets, lifecycle, log).catch(lifecycle.fail);
  if (started === undefined) return;
  const [secret] = jwtSecrets;
  const link =
    process.stdout.isTTY && secret !== undefined
      ? await createAdminLink(started, secret, log.log)
      : undefined;
  process.stdout.write(buildBanner(started, config, secret, link));
}

/** Returns undefined if the code cannot be stored: the gateway serves without a link, too. */
async function createAdminLink(
  { url, database }: StartedGateway,
  secret: string,
  log: Logger,
): Promise<string | undefined> {
  try {
    const { listenDatabase } = database.connections;
    return await createSignInLink({ database: listenDatabase, url, secret, content: ADMIN });
  } catch (err) {
    log.warn({ err }, 'no link to the dashboard can be made');
    return undefined;
  }
}

/** Describes the database before anything connects to it. */
function describeDatabase({ database, dataDir }: Config): string {
  return database === undefined ? `embedded, in ${dataDir}` : formatAddress(database);
}

function buildBanner(
  { url, database: { embedded } }: StartedGateway,
  config: Config,
  secret: string | undefined,
  link: string | undefined,
): string {
  return formatBanner({
    url,
    database:
      embedded === undefined
        ? describeDatabase(config)
        : `PostgreSQL ${embedded.majorVersion}, embedded, in ${config.dataDir}`,
    psql: embedded && formatPsqlCommand(embedded),
    token: process.stdout.isTTY && secret ? signToken(ADMIN, secret) : undefined,
    link,
    signs: secret !== undefined,
    dataDir: embedded && config.dataDir,
    loopback: isLoopback(config.host),
  });
}

/**
 * Formats the psql command. The private socket needs no password: only the gateway's user can use
 * it.
 */
function formatPsqlCommand({ connection, tcp }: EmbeddedServer): string {
  const { host, port, user, database } = connection;
  const password = process.stdout.isTTY ? `, password ${tcp?.password}` : '';
  const overTcp = tcp && `, or 127.0.0.1:${tcp.port} as ${user}${password}`;
  return `psql -h ${host} -p ${port} -U ${user} ${database}${overTcp ?? ''}`;
}
