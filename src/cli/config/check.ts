// `config check`: checks every variable, the files and secrets that they name, and the database,
// and prints a line for each. It changes nothing.

import { Command } from 'commander';
import type pg from 'pg';
import { readSecrets } from '../../gateway/auth/secret.js';
import { ConfigError, listSetVariables, loadConfig, type Config } from '../../config/load.js';
import { withClient } from '../../postgres/client.js';
import { ExitCode, explainError, selectExitCode } from '../exit.js';
import { formatCount, printJson, printTable } from '../print.js';
import { readGatewayLock } from '../read-gateway-lock.js';
import { formatAddress } from '../wait-for-database.js';

/** A server that needs longer to answer cannot be used. */
const DATABASE_TIMEOUT_MS = 5_000;

interface CheckResult {
  readonly check: 'variables' | 'secret' | 'database' | 'listen database';
  /** The exit code that the failure would have; 0 if the check passed. */
  readonly code: ExitCode;
  readonly message: string;
}

export function createCheckCommand(): Command {
  return new Command('check')
    .description('check variables, files, secrets and the database; exit code 2 or 3 if one fails')
    .option('--json', 'print JSON for programs, one value per line')
    .action(async ({ json }: { readonly json?: true }) => {
      const results = await checkAll();
      if (json)
        for (const { check, code, message } of results)
          printJson({ check, ok: code === ExitCode.ok, message });
      else
        printTable(
          ['', 'check', 'what was found'],
          results.map(({ check, code, message }) => [
            code === ExitCode.ok ? 'ok' : 'FAILS',
            check,
            message,
          ]),
        );
      process.exitCode = results.find(({ code }) => code !== ExitCode.ok)?.code ?? ExitCode.ok;
    });
}

async function checkAll(): Promise<CheckResult[]> {
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((message) => ({
      check: 'variables',
      code: ExitCode.usage,
      message,
    }));
  }
  const names = listSetVariables();
  const found = names.length === 0 ? 'none is set: the defaults apply' : names.join(', ');
  return [
    { check: 'variables', code: ExitCode.ok, message: found },
    await checkSecret(config),
    ...(await checkDatabases(config)),
  ];
}

async function checkSecret(config: Config): Promise<CheckResult> {
  const { jwtSecrets, jwtPublicKeys, dataDir } = config;
  return attempt('secret', async () => {
    const secrets = await readSecrets(config);
    if (jwtPublicKeys.length > 0 && jwtSecrets.length === 0)
      return 'tokens are verified with JWT_PUBLIC_KEY, and signed elsewhere';
    if (jwtSecrets.length > 0) return `${formatCount(jwtSecrets.length, 'secret')} of JWT_SECRET`;
    return secrets.length > 0
      ? `the secret in ${dataDir}`
      : `none yet: the start generates one in ${dataDir}`;
  });
}

async function checkDatabases(config: Config): Promise<CheckResult[]> {
  const { database, listenDatabase, dataDir } = config;
  if (database === undefined) {
    const running = (await readGatewayLock(config))?.database;
    if (running !== undefined)
      return [await attempt('database', async () => `embedded, ${await probe(running)}`)];
    const message = `none is named: the start uses an embedded one in ${dataDir}`;
    return [{ check: 'database', code: ExitCode.ok, message }];
  }
  const results = [await attempt('database', () => probe(database))];
  if (listenDatabase !== undefined && listenDatabase !== database)
    results.push(await attempt('listen database', () => probe(listenDatabase)));
  return results;
}

/** Returns what was reached, and how long the answer took. */
async function probe(connection: pg.ClientConfig): Promise<string> {
  const beganMs = performance.now();
  const config = { ...connection, connectionTimeoutMillis: DATABASE_TIMEOUT_MS };
  const version = await withClient(config, async (client) => {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? '?';
  });
  const ms = Math.round(performance.now() - beganMs);
  return `${formatAddress(connection)}: PostgreSQL ${version}, connected in ${ms} ms`;
}

async function attempt(
  check: CheckResult['check'],
  run: () => Promise<string>,
): Promise<CheckResult> {
  try {
    return { check, code: ExitCode.ok, message: await run() };
  } catch (error) {
    const code = selectExitCode(error);
    const message = code === ExitCode.finding ? String(error) : explainError(error);
    return { check, code, message: message.replaceAll(/\s*\n\s*/g, ' ') };
  }
}
